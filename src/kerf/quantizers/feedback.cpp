#include "kerf/quantizers/feedback.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/formats/vector_grid.h"
#include "kerf/quantizers/feedback_lanes.h"
#include "kerf/quantizers/feedback_piece.h"

namespace kerf {
namespace {

/// h with its rows and columns in this order.
template <class T>
std::vector<T> permuted(std::span<const T> h, const std::vector<std::size_t>& order) {
  const std::size_t n = order.size();
  std::vector<T> result(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) result[i * n + j] = h[order[i] * n + order[j]];
  return result;
}

}  // namespace

template <class T>
Result<Feedback> Feedback::make_from(std::span<const T> h, std::size_t n_cols,
                                     const FeedbackOptions& options) {
  KERF_CHECK(n_cols > 0 && h.size() == n_cols * n_cols);
  Feedback made;
  made.options_ = options;
  made.n_cols_ = n_cols;
  made.importance_.resize(n_cols);
  double sum = 0;
  for (std::size_t i = 0; i < n_cols; ++i) sum += std::max(0.0, static_cast<double>(h[i * n_cols + i]));
  if (sum > 0 && std::isfinite(sum))
    made.unit_ = std::ldexp(1.0, std::ilogb(sum / static_cast<double>(n_cols)));
  for (std::size_t i = 0; i < n_cols; ++i)
    made.importance_[i] = static_cast<float>(std::max(0.0, h[i * n_cols + i] / made.unit_));
  made.choose_order();
  KERF_CHECK_OK(made.factorise(h));
  made.load_moments(h);
  made.stretches_ = block_inverses(made.factor_, n_cols, kStretch);
  made.cells_ = block_inverses(made.factor_, n_cols, VectorGrid::kCell);
  return made;
}

void Feedback::choose_order() {
  constexpr std::size_t kCell = VectorGrid::kCell;
  order_.resize(n_cols_);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (!options_.act_order) return;
  const std::size_t n_cells = n_cols_ / kCell;  // columns that do not fill one stay at the end
  std::vector<double> sum(n_cells);
  std::vector<std::size_t> cells(n_cells);
  for (std::size_t c = 0; c < n_cells; ++c) {
    cells[c] = c;
    sum[c] = std::accumulate(&importance_[c * kCell], &importance_[c * kCell] + kCell, 0.0);
  }
  std::stable_sort(cells.begin(), cells.end(), [&](std::size_t a, std::size_t b) { return sum[a] > sum[b]; });
  for (std::size_t i = 0; i < n_cells * kCell; ++i) order_[i] = cells[i / kCell] * kCell + i % kCell;
}

template <class T>
Result<void> Feedback::factorise(std::span<const T> h) {
  std::vector<T> in_order;
  if (options_.act_order) {
    in_order = permuted(h, order_);
    h = in_order;
  }
  KERF_TRY(InverseFactor factor, inverse_factor(h, n_cols_, options_.damping));
  damping_ = factor.damping;
  repair_ = factor.repair;
  n_dead_ = factor.n_dead;
  factor_ = std::move(factor.transposed);
  const double root = std::sqrt(unit_);
  for (float& x : factor_) x = static_cast<float>(x * root);
  return {};
}

// The same matrix that was factored.
template <class T>
void Feedback::load_moments(std::span<const T> h) {
  moments_.assign(h.size(), 0.0F);
  const double sum = std::accumulate(importance_.begin(), importance_.end(), 0.0);
  const double mean = sum > 0 ? sum / static_cast<double>(n_cols_ - n_dead_) : 1.0;
  for (std::size_t i = 0; i < n_cols_; ++i) {
    const bool alone = importance_[i] == 0 || repair_ == Repair::diagonal;
    for (std::size_t j = 0; j < n_cols_ && !alone; ++j)
      if (importance_[j] > 0)
        moments_[i * n_cols_ + j] = static_cast<float>(static_cast<double>(h[i * n_cols_ + j]) / unit_);
    const double own = importance_[i] > 0 ? importance_[i] : mean;
    moments_[i * n_cols_ + i] = static_cast<float>(own + damping_ * mean);
  }
}

Result<Feedback> Feedback::make(std::span<const float> h, std::size_t n_cols,
                                const FeedbackOptions& options) {
  return make_from(h, n_cols, options);
}

Result<Feedback> Feedback::make(std::span<const double> h, std::size_t n_cols,
                                const FeedbackOptions& options) {
  return make_from(h, n_cols, options);
}

void Feedback::quantize_rows(const Format& format, const float* w, std::uint8_t* dst,
                             std::size_t n_rows) const {
  KERF_CHECK(format.writable() && format.fits(n_cols_));
  FeedbackPiece piece(*this, format);
  const std::size_t row_bytes = format.row_bytes(n_cols_);
  for (std::size_t r = 0; r < n_rows; r += kPieceRows)
    piece.quantize(w + r * n_cols_, std::min(kPieceRows, n_rows - r), dst + r * row_bytes);
}

double Feedback::error(const float* w, const float* back, std::size_t n_rows) const {
  std::vector<float> rows(std::min(n_rows, kPieceRows) * n_cols_);
  std::vector<Column> columns(n_cols_);
  double total = 0;
  for (std::size_t r = 0; r < n_rows; r += kPieceRows) {
    const std::size_t n = std::min(kPieceRows, n_rows - r);
    for (std::size_t i = 0; i < n * n_cols_; ++i) rows[i] = w[r * n_cols_ + i] - back[r * n_cols_ + i];
    rows_to_columns(rows.data(), n, n_cols_, columns.data());
    Sums forms;
    quadratic_forms(columns.data(), {moments_.data(), n_cols_}, importance_.data(), n_cols_, forms);
    total = std::accumulate(forms.lane, forms.lane + n, total);
  }
  return total * unit_;
}

}  // namespace kerf

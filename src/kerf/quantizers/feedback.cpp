#include "kerf/quantizers/feedback.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kerf/base/check.h"
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
  const auto diagonal = [&](std::size_t i) { return h[i * n_cols + i]; };
  Result<InverseFactor> factor = [&] {
    if (!options.act_order) return inverse_factor(h, n_cols, options.damping);
    made.order_.resize(n_cols);
    std::iota(made.order_.begin(), made.order_.end(), std::size_t{0});
    std::stable_sort(made.order_.begin(), made.order_.end(),
                     [&](std::size_t a, std::size_t b) { return diagonal(a) > diagonal(b); });
    return inverse_factor(std::span<const T>(permuted(h, made.order_)), n_cols, options.damping);
  }();
  if (!factor) return tl::unexpected(std::move(factor).error());
  made.damping_ = factor->damping;
  made.repair_ = factor->repair;
  made.n_dead_ = factor->n_dead;
  made.factor_ = std::move(factor->transposed);

  double sum = 0;
  for (std::size_t i = 0; i < n_cols; ++i) sum += std::max(0.0, static_cast<double>(diagonal(i)));
  if (sum > 0) made.unit_ = std::ldexp(1.0, std::ilogb(sum / static_cast<double>(n_cols)));
  made.h_.resize(h.size());
  for (std::size_t i = 0; i < h.size(); ++i)
    made.h_[i] = static_cast<float>(static_cast<double>(h[i]) / made.unit_);
  made.importance_.resize(n_cols);
  for (std::size_t i = 0; i < n_cols; ++i) made.importance_[i] = std::max(0.0F, made.h_[i * n_cols + i]);
  return made;
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
    double form[kPieceRows];
    quadratic_forms(columns.data(), h_.data(), n_cols_, form);
    total = std::accumulate(form, form + n, total);
  }
  return total * unit_;
}

}  // namespace kerf

#include "kerf/quantizers/feedback_piece.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/formats/vector_grid.h"

namespace kerf {
namespace {

/// Columns whose errors reach each other one by one; what lies before them is subtracted for all at once.
constexpr std::size_t kStep = 16;

/// a − b in n columns.
void differences(const Column* a, const Column* b, std::size_t n, Column* d) noexcept {
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < kPieceRows; ++r) d[j][r] = a[j][r] - b[j][r];
}

/// The search for parameters takes nothing else; a row that feedback drove out of range is not kept.
void make_finite(Column* x, std::size_t n) noexcept {
  constexpr float kMost = std::numeric_limits<float>::max();
  for (std::size_t j = 0; j < n; ++j)
    for (float& value : x[j].lane) value = value > -kMost ? (value < kMost ? value : kMost) : -kMost;
}

}  // namespace

FeedbackPiece::FeedbackPiece(const Feedback& feedback, const Format& format)
    : feedback_(feedback),
      format_(format),
      n_cols_(feedback.n_cols_),
      row_bytes_(format.row_bytes(n_cols_)),
      rounder_(make_piece_rounder(format, n_cols_, feedback.options_.search)),
      refiner_(*rounder_),
      size_(round_up(kStep, rounder_->block_size())),
      inverse_diagonal_(n_cols_),
      weight_(round_up(n_cols_, size_), 0.0F),
      rows_(kPieceRows * n_cols_),
      target_(n_cols_),
      x_(weight_.size()),
      e_(n_cols_),
      back_(n_cols_),
      gradient_(n_cols_),
      bytes_(kPieceRows * row_bytes_) {
  KERF_CHECK(rounder_->n_groups() == 0 || Feedback::kStretch % rounder_->block_size() == 0);
  if (format.row_scale != nullptr) headers_.emplace(format, moments(), n_cols_);
  for (std::size_t j = 0; j < n_cols_; ++j) {
    inverse_diagonal_[j] = 1.0F / *factor().from(j, j).at;
    weight_[j] = inverse_diagonal_[j] * inverse_diagonal_[j];
  }
}

void FeedbackPiece::quantize(const float* w, std::size_t n_rows, std::uint8_t* dst) {
  w_ = w;
  n_rows_ = n_rows;
  round_plainly(dst);
  load_targets(dst);
  if (feedback_.options_.act_order)
    walk_in_order();
  else
    walk();
  for (int i = 0; i < feedback_.options_.refinements; ++i) refine();
  keep_better(dst);
}

void FeedbackPiece::round_plainly(std::uint8_t* dst) {
  for (std::size_t r = 0; r < n_rows_; ++r)
    quantize_row(format_, w_ + r * n_cols_, feedback_.importance_.data(), dst + r * row_bytes_, n_cols_,
                 feedback_.options_.search);
}

void FeedbackPiece::load_targets(const std::uint8_t* plain) {
  rounder_->begin(plain, row_bytes_, format_.header_bytes, n_rows_);
  std::memcpy(bytes_.data(), plain, n_rows_ * row_bytes_);
  if (!headers_) return rows_to_columns(w_, n_rows_, n_cols_, target_.data());
  headers_->load(plain, row_bytes_, n_rows_);
  headers_->divide(w_, n_rows_, target_.data());
}

void FeedbackPiece::walk() {
  for (std::size_t first = 0; first < n_cols_; first += Feedback::kStretch)
    walk_stretch(first, std::min(n_cols_, first + Feedback::kStretch));
}

void FeedbackPiece::walk_stretch(std::size_t first, std::size_t last) {
  const std::size_t n = last - first;
  Column* target = &target_[first];
  // Until the stretch is done, its targets are those with the feedback of all stretches before.
  std::vector<Column> own(target, target + n);
  subtract_products(target, n, e_.data(), first, factor().from(first, 0));
  std::copy_n(target, n, &x_[first]);
  for (std::size_t begin = first; begin < last; begin += size_) {
    const std::size_t end = std::min(last, begin + size_);
    subtract_products(&x_[begin], end - begin, &e_[first], begin - first, factor().from(begin, first));
    make_finite(&x_[begin], end - begin);
    // Numbers beyond the row do not stretch the range of a block.
    for (std::size_t j = end; j < begin + size_ && j < x_.size(); ++j) x_[j] = x_[end - 1];
    rounder_->choose_parameters(begin / rounder_->block_size(), &x_[begin], &weight_[begin]);
    round_columns(begin, end);
    try_scales(begin, end);
  }
  if (feedback_.options_.refinements > 0) refine_stretch(first, last);
  std::copy(own.begin(), own.end(), target);
}

// The search for parameters knows nothing of the feedback inside a block. So scales beside those that it
// chose are tried as well, by what the block leaves in the end.
void FeedbackPiece::try_scales(std::size_t first, std::size_t last) {
  constexpr float kFactors[] = {0.95F, 1.05F, 0.9F, 1.1F, 0.97F, 1.03F, 0.86F, 1.14F};
  constexpr std::size_t kByEffort[] = {0, 2, 4, 8};
  const std::size_t n_factors = kByEffort[std::clamp(feedback_.options_.search.effort, 0, 3)];
  if (rounder_->n_groups() != 1 || rounder_->unit() != 1 || n_factors == 0) return;
  const std::size_t n = last - first;
  const std::size_t b = first / rounder_->block_size();
  const std::size_t n_bytes = rounder_->block_bytes();
  std::vector<std::uint8_t> best(rounder_->block(b, 0), rounder_->block(b, 0) + kPieceRows * n_bytes);
  BlockParameters start[kPieceRows];
  for (std::size_t r = 0; r < kPieceRows; ++r) rounder_->parameters(b, r, start[r]);
  Sums least;
  Sums cost;
  products(&e_[first], &e_[first], n, least);
  for (std::size_t f = 0; f < n_factors; ++f) {
    for (std::size_t r = 0; r < kPieceRows; ++r) {
      BlockParameters wanted = start[r];
      wanted.scale[0] *= kFactors[f];
      wanted.offset[0] *= kFactors[f];
      rounder_->set_parameters(b, r, wanted);
    }
    round_columns(first, last);
    products(&e_[first], &e_[first], n, cost);
    for (std::size_t r = 0; r < kPieceRows; ++r) {
      if (!(cost[r] < least[r])) continue;
      least[r] = cost[r];
      std::copy_n(rounder_->block(b, r), n_bytes, &best[r * n_bytes]);
    }
  }
  std::copy(best.begin(), best.end(), rounder_->block(b, 0));
  for (std::size_t r = 0; r < kPieceRows; ++r) rounder_->load_parameters(b, r);
  round_columns(first, last);
}

/// Rounds columns first … last − 1, each with the feedback of those of them before it.
void FeedbackPiece::round_columns(std::size_t first, std::size_t last) {
  const std::size_t unit = rounder_->unit();
  Column x[kStep];
  for (std::size_t step = first; step < last; step += kStep) {
    const std::size_t end = std::min(step + kStep, last);
    std::copy_n(&x_[step], end - step, x);
    subtract_products(x, end - step, &e_[first], step - first, factor().from(step, first));
    for (std::size_t j = step; j < end; j += unit) {
      const std::size_t n = std::min(unit, end - j);
      subtract_products(&x[j - step], n, &e_[step], j - step, factor().from(j, step));
      round_unit(j, n, &x[j - step], j);
    }
  }
}

/// Rounds the n columns that come at this place of the order.
void FeedbackPiece::round_unit(std::size_t place, std::size_t n, Column* x, std::size_t column) {
  const MatrixView metric{&feedback_.cells_[place * VectorGrid::kCell], VectorGrid::kCell};
  rounder_->round(column / rounder_->unit(), x, n, metric, &back_[column]);
  for (std::size_t j = 0; j < n; ++j) {
    subtract_products(&x[j], 1, &e_[place], j, factor().from(place + j, place));
    for (std::size_t r = 0; r < kPieceRows; ++r)
      e_[place + j][r] = (x[j][r] - back_[column + j][r]) * inverse_diagonal_[place + j];
  }
}

/// With the columns after them open, what differences cost is known for a stretch as a whole.
void FeedbackPiece::refine_stretch(std::size_t first, std::size_t last) {
  const std::size_t n = last - first;
  const MatrixView metric{&feedback_.stretches_[first * Feedback::kStretch], Feedback::kStretch};
  differences(&back_[first], &target_[first], n, &e_[first]);
  std::fill_n(gradient_.begin(), n, Column{});
  subtract_products(gradient_.data(), n, &e_[first], n, metric);
  const Stretch stretch{first, n, metric, gradient_.data(), &back_[first]};
  for (int i = 0; i < feedback_.options_.refinements; ++i)
    for (std::size_t begin = 0; begin < n; begin += size_)
      refiner_.refine(stretch, begin, std::min(n, begin + size_));
  differences(&target_[first], &back_[first], n, &e_[first]);
  for (std::size_t j = first; j < last; ++j) {
    subtract_products(&e_[j], 1, &e_[first], j - first, factor().from(j, first));
    for (std::size_t r = 0; r < kPieceRows; ++r) e_[j][r] *= inverse_diagonal_[j];
  }
}

void FeedbackPiece::walk_in_order() {
  const std::size_t unit = rounder_->unit();
  Column x[kStep];
  for (std::size_t step = 0; step < n_cols_; step += kStep) {
    const std::size_t end = std::min(step + kStep, n_cols_);
    for (std::size_t j = step; j < end; ++j) x[j - step] = target_[feedback_.order_[j]];
    subtract_products(x, end - step, e_.data(), step, factor().from(step, 0));
    for (std::size_t j = step; j < end; j += unit) {
      const std::size_t n = std::min(unit, end - j);
      subtract_products(&x[j - step], n, &e_[step], j - step, factor().from(j, step));
      round_unit(j, n, &x[j - step], feedback_.order_[j]);
    }
  }
}

/// Once through all columns, now with the damped moments themselves as the metric.
void FeedbackPiece::refine() {
  if (headers_) {
    headers_->refit(back_.data(), target_.data(), gradient_.data());
  } else {
    differences(back_.data(), target_.data(), n_cols_, e_.data());
    std::fill(gradient_.begin(), gradient_.end(), Column{});
    subtract_products(gradient_.data(), n_cols_, e_.data(), n_cols_, moments());
  }
  // From here on e is what has changed.
  for (std::size_t first = 0; first < n_cols_; first += size_) {
    const std::size_t n = std::min(size_, n_cols_ - first);
    subtract_products(&gradient_[first], n, e_.data(), first, moments().from(first, 0));
    std::copy_n(&back_[first], n, &e_[first]);
    const Stretch block{first, n, moments().from(first, first), &gradient_[first], &back_[first]};
    refiner_.refine(block, 0, n);
    differences(&back_[first], &e_[first], n, &e_[first]);
  }
}

/// Where dst does not hold something better already.
void FeedbackPiece::keep_better(std::uint8_t* dst) {
  Sums plain;
  Sums found;
  measure(dst, plain);
  for (std::size_t r = 0; r < n_rows_; ++r) {
    std::uint8_t* row = &bytes_[r * row_bytes_];
    if (headers_) headers_->store(r, row);
    rounder_->store(r, row + format_.header_bytes);
  }
  measure(bytes_.data(), found);
  for (std::size_t r = 0; r < n_rows_; ++r)
    if (found[r] < plain[r]) std::memcpy(dst + r * row_bytes_, &bytes_[r * row_bytes_], row_bytes_);
}

/// What the errors of these rows cost.
void FeedbackPiece::measure(const std::uint8_t* rows, Sums& cost) {
  for (std::size_t r = 0; r < n_rows_; ++r) {
    float* row = &rows_[r * n_cols_];
    format_.decode(rows + r * row_bytes_, row, n_cols_);
    for (std::size_t j = 0; j < n_cols_; ++j) row[j] = w_[r * n_cols_ + j] - row[j];
  }
  rows_to_columns(rows_.data(), n_rows_, n_cols_, e_.data());
  quadratic_forms(e_.data(), moments(), feedback_.importance_.data(), n_cols_, cost);
}

}  // namespace kerf

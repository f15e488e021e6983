#include "kerf/quantizers/feedback_piece.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kerf/formats/row_scaled.h"

namespace kerf {
namespace {

/// Columns whose errors reach each other one by one; what lies before them is subtracted for all at once.
constexpr std::size_t kStep = 16;

}  // namespace

FeedbackPiece::FeedbackPiece(const Feedback& feedback, const Format& format)
    : feedback_(feedback),
      format_(format),
      blocks_(format.row_scale == nullptr ? format : *format.row_scale->inner),
      n_cols_(feedback.n_cols_),
      row_bytes_(format.row_bytes(n_cols_)),
      rounder_(make_piece_rounder(format, n_cols_, feedback.options_.search)),
      unit_(rounder_ == nullptr ? 1 : rounder_->unit()),
      weight_((n_cols_ + blocks_.block_size - 1) / blocks_.block_size * blocks_.block_size, 0.0F),
      inverse_diagonal_(n_cols_),
      rows_(kPieceRows * n_cols_),
      x_(weight_.size()),
      e_(weight_.size()),
      back_(weight_.size()),
      bytes_(kPieceRows * row_bytes_) {
  for (std::size_t j = 0; j < n_cols_; ++j) {
    inverse_diagonal_[j] = 1.0F / feedback.factor_[j * n_cols_ + j];
    weight_[j] = inverse_diagonal_[j] * inverse_diagonal_[j];
  }
}

void FeedbackPiece::quantize(const float* w, std::size_t n_rows, std::uint8_t* dst) {
  w_ = w;
  n_rows_ = n_rows;
  round_plainly(dst);
  if (rounder_ == nullptr) return;
  load_targets(dst);
  walk();
  keep_better(dst);
}

void FeedbackPiece::round_plainly(std::uint8_t* dst) {
  for (std::size_t r = 0; r < n_rows_; ++r)
    quantize_row(format_, w_ + r * n_cols_, feedback_.importance_.data(), dst + r * row_bytes_, n_cols_,
                 feedback_.options_.search);
}

// Behind the scale and offset of its row, if it has one.
void FeedbackPiece::load_targets(const std::uint8_t* plain) {
  std::copy_n(w_, n_rows_ * n_cols_, rows_.begin());
  if (format_.row_scale != nullptr) {
    const RowScale& rule = *format_.row_scale;
    for (std::size_t r = 0; r < n_rows_; ++r) {
      const std::uint8_t* header = plain + r * row_bytes_;
      const double scale = formats::load_row_scale(rule.type, header);
      const double offset =
          rule.has_offset ? formats::load_row_scale(rule.type, header + formats::bytes_of(rule.type)) : 0.0F;
      const double inverse = scale == 0.0 ? 0.0 : 1.0 / scale;
      float* row = &rows_[r * n_cols_];
      for (std::size_t j = 0; j < n_cols_; ++j) row[j] = static_cast<float>((row[j] - offset) * inverse);
    }
  }
  rows_to_columns(rows_.data(), n_rows_, n_cols_, x_.data());
  rounder_->begin(plain + format_.header_bytes, row_bytes_, n_rows_);
}

void FeedbackPiece::walk() {
  const std::size_t size = std::max<std::size_t>(blocks_.block_size, kStep);
  const float* factor = feedback_.factor_.data();
  for (std::size_t first = 0; first < n_cols_; first += size) {
    const std::size_t last = std::min(n_cols_, first + size);
    subtract_products(x_.data(), e_.data(), factor, n_cols_, first, last, 0, first);
    for (std::size_t j = last; j < std::min(first + size, x_.size()); ++j) x_[j] = x_[last - 1];
    if (feedback_.order_.empty() && blocks_.block_size > 1)
      rounder_->choose_parameters(first / size, &x_[first], &weight_[first]);
    for (std::size_t step = first; step < last; step += kStep) {
      subtract_products(x_.data(), e_.data(), factor, n_cols_, step, std::min(step + kStep, last), first,
                        step);
      for (std::size_t j = step; j < std::min(step + kStep, last); j += unit_) walk_unit(j, step);
    }
  }
}

/// Rounds a unit. Of its columns, what those before `done` do to them is subtracted already.
void FeedbackPiece::walk_unit(std::size_t first, std::size_t done) {
  const float* factor = feedback_.factor_.data();
  const std::size_t last = std::min(first + unit_, n_cols_);
  subtract_products(x_.data(), e_.data(), factor, n_cols_, first, last, done, first);
  rounder_->round(first / unit_, &x_[first], &weight_[first], &back_[first]);
  for (std::size_t j = first; j < last; ++j) {
    subtract_products(x_.data(), e_.data(), factor, n_cols_, j, j + 1, first, j);
    for (std::size_t r = 0; r < kPieceRows; ++r) e_[j][r] = (x_[j][r] - back_[j][r]) * inverse_diagonal_[j];
  }
}

void FeedbackPiece::keep_better(std::uint8_t* dst) {
  double plain[kPieceRows];
  double found[kPieceRows];
  measure(dst, plain);
  for (std::size_t r = 0; r < n_rows_; ++r) {
    std::uint8_t* row = &bytes_[r * row_bytes_];
    std::memcpy(row, dst + r * row_bytes_, format_.header_bytes);
    rounder_->store(r, row + format_.header_bytes);
  }
  measure(bytes_.data(), found);
  for (std::size_t r = 0; r < n_rows_; ++r)
    if (found[r] < plain[r]) std::memcpy(dst + r * row_bytes_, &bytes_[r * row_bytes_], row_bytes_);
}

/// What these bytes cost, of each row.
void FeedbackPiece::measure(const std::uint8_t* rows, double* form) {
  for (std::size_t r = 0; r < n_rows_; ++r) {
    float* row = &rows_[r * n_cols_];
    format_.decode(rows + r * row_bytes_, row, n_cols_);
    for (std::size_t j = 0; j < n_cols_; ++j) row[j] = w_[r * n_cols_ + j] - row[j];
  }
  rows_to_columns(rows_.data(), n_rows_, n_cols_, x_.data());
  quadratic_forms(x_.data(), feedback_.h_.data(), n_cols_, form);
}

}  // namespace kerf

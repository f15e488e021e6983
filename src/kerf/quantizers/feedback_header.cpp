#include "kerf/quantizers/feedback_header.h"

#include <algorithm>
#include <cmath>

#include "kerf/formats/row_scaled.h"

namespace kerf {

RowHeaders::RowHeaders(const Format& format, MatrixView moments, std::size_t n_cols)
    : format_(format), rule_(*format.row_scale), moments_(moments), n_cols_(n_cols), column_sums_(n_cols) {
  for (std::size_t j = 0; j < n_cols; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < n_cols; ++i) sum += *moments.from(j, i).at;
    column_sums_[j] = static_cast<float>(sum);
    sum_ += sum;
  }
}

void RowHeaders::load(const std::uint8_t* rows, std::size_t row_bytes, std::size_t n_rows) {
  scale_ = {};
  offset_ = {};
  for (std::size_t r = 0; r < n_rows; ++r) {
    const std::uint8_t* header = rows + r * row_bytes;
    scale_[r] = formats::load_row_scale(rule_.type, header);
    if (rule_.has_offset)
      offset_[r] = formats::load_row_scale(rule_.type, header + formats::bytes_of(rule_.type));
  }
}

void RowHeaders::store(std::size_t row, std::uint8_t* header) const {
  formats::store_row_scale(rule_.type, static_cast<float>(scale_[row]), header);
  if (rule_.has_offset)
    formats::store_row_scale(rule_.type, static_cast<float>(offset_[row]),
                             header + formats::bytes_of(rule_.type));
}

void RowHeaders::divide(const float* w, std::size_t n_rows, Column* x) const {
  rows_to_columns(w, n_rows, n_cols_, x);
  for (std::size_t r = 0; r < n_rows; ++r) {
    const double inverse = scale_[r] == 0.0 ? 0.0 : 1.0 / scale_[r];
    for (std::size_t j = 0; j < n_cols_; ++j) x[j][r] = static_cast<float>((x[j][r] - offset_[r]) * inverse);
  }
}

// The row w = s·x + o costs least with the scale s·(1 + a) and the offset o + s·t where a·y + t·1 is nearest
// to x − y under M: two equations for each row.
void RowHeaders::refit(const Column* y, Column* x, Column* gradient) {
  // Negated products first: −y·M, then (x − y)·M after adding x·M.
  std::vector<Column> minus_ym(n_cols_);
  subtract_products(minus_ym.data(), n_cols_, y, n_cols_, moments_);
  std::vector<Column> minus_xm(n_cols_);
  subtract_products(minus_xm.data(), n_cols_, x, n_cols_, moments_);
  for (std::size_t j = 0; j < n_cols_; ++j)
    for (std::size_t r = 0; r < kPieceRows; ++r) gradient[j][r] = minus_ym[j][r] - minus_xm[j][r];

  Sums y_slope;
  Sums minus_yy;
  products(y, gradient, n_cols_, y_slope);
  products(y, minus_ym.data(), n_cols_, minus_yy);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    double one_slope = 0;
    double y_one = 0;
    for (std::size_t j = 0; j < n_cols_; ++j) {
      one_slope += gradient[j][r];
      y_one -= minus_ym[j][r];
    }
    refit_row(r, y_slope[r], one_slope, -minus_yy[r], y_one);
    const double inverse = 1.0 / stretch_[r];
    for (std::size_t j = 0; j < n_cols_; ++j) {
      x[j][r] = static_cast<float>((x[j][r] - shift_[r]) * inverse);
      const double xm = (-static_cast<double>(minus_xm[j][r]) - shift_[r] * column_sums_[j]) * inverse;
      gradient[j][r] = static_cast<float>(xm + minus_ym[j][r]);
    }
  }
}

void RowHeaders::refit_row(std::size_t row, double y_slope, double one_slope, double yy, double y_one) {
  stretch_[row] = 1;
  shift_[row] = 0;
  double stretch = 0;
  double shift = 0;
  const double determinant = yy * sum_ - y_one * y_one;
  if (rule_.has_offset && determinant > 1e-9 * yy * sum_) {
    stretch = (y_slope * sum_ - one_slope * y_one) / determinant;
    shift = (one_slope * yy - y_slope * y_one) / determinant;
  } else if (yy > 0) {
    stretch = y_slope / yy;
  }
  const double scale = scale_[row] * (1.0 + stretch);
  const double offset = offset_[row] + scale_[row] * shift;
  if (!(scale > 0) || !(scale < 1e37) || !(std::fabs(offset) < 1e37)) return;
  std::uint8_t header[8];
  const double stored_scale = formats::store_row_scale(rule_.type, static_cast<float>(scale), header);
  const double stored_offset = rule_.has_offset
                                   ? formats::store_row_scale(rule_.type, static_cast<float>(offset),
                                                              header + formats::bytes_of(rule_.type))
                                   : 0.0F;
  if (!(stored_scale > 0) || format_.header_defect(header) != nullptr) return;
  stretch = stored_scale / scale_[row] - 1.0;
  shift = (stored_offset - offset_[row]) / scale_[row];
  const double change = stretch * (stretch * yy - 2 * y_slope) + 2 * stretch * shift * y_one +
                        shift * (shift * sum_ - 2 * one_slope);
  if (!(change < 0)) return;
  stretch_[row] = 1.0 + stretch;
  shift_[row] = shift;
  scale_[row] = stored_scale;
  offset_[row] = stored_offset;
}

}  // namespace kerf

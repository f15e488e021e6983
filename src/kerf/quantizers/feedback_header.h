// The scales and offsets in front of a piece of rows (RowScale) under error feedback.
#pragma once

#include <vector>

#include "kerf/quantizers/feedback_lanes.h"

namespace kerf {

/// Rows are rounded behind their headers: w = scale · x + offset, where x is what blocks are to hold.
class RowHeaders {
 public:
  /// `moments` is the metric M [K, K].
  RowHeaders(const Format& format, MatrixView moments, std::size_t n_cols);

  /// Reads the headers of n_rows rows of row_bytes.
  void load(const std::uint8_t* rows, std::size_t row_bytes, std::size_t n_rows);
  void store(std::size_t row, std::uint8_t* header) const;

  /// x [K] of the rows w [n_rows, K].
  void divide(const float* w, std::size_t n_rows, Column* x) const;

  /// Moves each header to where it costs least, x [K] with it, for blocks that hold y [K]. On return gradient
  /// [K] is (x − y)·M.
  void refit(const Column* y, Column* x, Column* gradient);

 private:
  void refit_row(std::size_t row, double y_slope, double one_slope, double yy, double y_one);

  const Format& format_;
  const RowScale& rule_;
  const MatrixView moments_;
  const std::size_t n_cols_;
  std::vector<float> column_sums_;  ///< [K] of M
  double sum_ = 0;                  ///< of M
  Sums scale_;
  Sums offset_;
  Sums stretch_;  ///< by the last refit: new scale / old scale
  Sums shift_;    ///< (new offset − old offset) / old scale
};

}  // namespace kerf

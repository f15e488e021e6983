// Quantizer: how scales, offsets and codes are chosen for a row of numbers, for any format. Knows nothing of
// models, nor of how the bytes are laid out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/formats/format.h"

namespace kerf {

struct QuantizeOptions {
  /// 0 … 3: how long to search. 0 is as fast as rounding gets, 1 the default, 2 and 3 try more grids. Others
  /// are clamped.
  int effort = 1;
};

/// Rounds a row of n finite numbers (format.fits(n)) into `dst` (format.row_bytes(n) bytes), making
/// Σ importance[i] (x[i] − x̂[i])² small; without importance (nullptr, or zero everywhere) the plain squared
/// error. The format is writable(). Several rows of a format without header, each a whole number of blocks,
/// may be given as one. Deterministic: the same bytes on every machine.
void quantize_row(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                  std::size_t n, const QuantizeOptions& options = {}) noexcept;

/// Rounds x [n_rows, n_cols], row-major; importance has one number per column [n_cols], or is nullptr.
void quantize_rows(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                   std::size_t n_rows, std::size_t n_cols, const QuantizeOptions& options = {}) noexcept;

}  // namespace kerf

// Transposed copies, for products whose sums run down a matrix's columns.
#pragma once

#include <cstddef>

namespace kerf {

/// Floats between the rows of a turned matrix whose rows have n: an odd number of cache lines, because rows
/// 2^n floats apart would fight for one cache set.
[[nodiscard]] constexpr std::size_t padded_stride(std::size_t n) noexcept {
  return ((n + 15) / 16 | 1) * 16;
}

/// y[c, r] = x[r, c] for r < n_rows, c < n_cols; rows of x and y start ldx and ldy floats apart. They must
/// not overlap.
void transpose(const float* x, std::size_t ldx, std::size_t n_rows, std::size_t n_cols, float* y,
               std::size_t ldy) noexcept;

}  // namespace kerf

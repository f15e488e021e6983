#include "kerf/kernels/transpose.h"

#include <algorithm>
#include <cstring>

namespace kerf {
namespace {

using Four = float __attribute__((vector_size(16)));

Four load(const float* p) noexcept {
  Four v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

void store(float* p, Four v) noexcept {
  std::memcpy(p, &v, sizeof v);
}

void transpose_four(const float* x, std::size_t ldx, float* y, std::size_t ldy) noexcept {
  const Four a = load(x), b = load(x + ldx), c = load(x + 2 * ldx), d = load(x + 3 * ldx);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(y, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store(y + ldy, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store(y + 2 * ldy, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store(y + 3 * ldy, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

void transpose_rest(const float* x, std::size_t ldx, std::size_t n_rows, std::size_t n_cols, float* y,
                    std::size_t ldy) noexcept {
  for (std::size_t r = 0; r < n_rows; ++r)
    for (std::size_t c = 0; c < n_cols; ++c) y[c * ldy + r] = x[r * ldx + c];
}

/// A block of at most kBlock rows.
void transpose_rows(const float* x, std::size_t ldx, std::size_t n_rows, std::size_t n_cols, float* y,
                    std::size_t ldy) noexcept {
  const std::size_t whole_rows = n_rows / 4 * 4, whole_cols = n_cols / 4 * 4;
  for (std::size_t c = 0; c < whole_cols; c += 4)
    for (std::size_t r = 0; r < whole_rows; r += 4)
      transpose_four(x + r * ldx + c, ldx, y + c * ldy + r, ldy);
  transpose_rest(x + whole_cols, ldx, whole_rows, n_cols - whole_cols, y + whole_cols * ldy, ldy);
  transpose_rest(x + whole_rows * ldx, ldx, n_rows - whole_rows, n_cols, y + whole_rows, ldy);
}

}  // namespace

void transpose(const float* x, std::size_t ldx, std::size_t n_rows, std::size_t n_cols, float* y,
               std::size_t ldy) noexcept {
  // Sixteen rows at a time fill whole cache lines of y.
  constexpr std::size_t kBlock = 16;
  for (std::size_t r = 0; r < n_rows; r += kBlock)
    transpose_rows(x + r * ldx, ldx, std::min(kBlock, n_rows - r), n_cols, y + r, ldy);
}

}  // namespace kerf

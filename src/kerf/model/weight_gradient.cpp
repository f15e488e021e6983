#include "kerf/model/weight_gradient.h"

#include <algorithm>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/kernels/transpose.h"

namespace kerf {
namespace {

// Rows of dw that a thread makes at a time; a multiple of every table's register tile.
constexpr std::size_t kRows = 48;
// Columns, so that their part of the turned x stays in the second-level cache.
constexpr std::size_t kColumns = 96;

}  // namespace

void weight_gradient(const LinearGradient& gradient, float* dw, bool add, WeightGradientScratch& scratch,
                     ThreadPool& pool) {
  const kernels::KernelTable& table = kernels::active_table();
  const std::size_t n_rows = gradient.layer.n_rows(), n_cols = gradient.layer.n_cols();
  const std::size_t n_tokens = gradient.n_tokens, stride = padded_stride(n_tokens);
  const std::size_t of_worker = kRows * (stride + kColumns);
  scratch.x_turned.resize(std::max(scratch.x_turned.size(), n_cols * stride));
  scratch.dy_turned.resize(std::max(scratch.dy_turned.size(), pool.size() * of_worker));
  float* const x = scratch.x_turned.data();
  pool.parallel_for(n_cols, kColumns, [&](std::size_t begin, std::size_t end, unsigned) {
    transpose(gradient.x + begin, n_cols, n_tokens, end - begin, x + begin * stride, stride);
  });
  pool.parallel_for(n_rows, kRows, [&](std::size_t begin, std::size_t end, unsigned worker) {
    float* const dy = scratch.dy_turned.data() + worker * of_worker;
    float* const sums = dy + kRows * stride;
    const std::size_t n = end - begin;
    transpose(gradient.dy + begin, gradient.dy_stride, n_tokens, n, dy, stride);
    for (std::size_t k = 0; k < n_cols; k += kColumns) {
      const std::size_t width = std::min(kColumns, n_cols - k);
      float* const target = dw + begin * n_cols + k;
      table.gemm_f32(dy, stride, x + k * stride, stride, add ? sums : target, add ? kColumns : n_cols, n,
                     width, n_tokens);
      for (std::size_t r = 0; add && r < n; ++r)
        table.axpy_f32(1.0F, sums + r * kColumns, target + r * n_cols, width);
    }
  });
}

}  // namespace kerf

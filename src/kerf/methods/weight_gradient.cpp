#include "kerf/methods/weight_gradient.h"

#include <algorithm>

#include "kerf/kernels/kernel.h"
#include "kerf/kernels/transpose.h"

namespace kerf {
namespace {

constexpr std::size_t kTileColumns = 48;  // of K: with 512 tokens they fill an eighth of a second-level cache
constexpr std::size_t kTileRows = 1024;   // of R

}  // namespace

void WeightGradient::add(const LinearGradient& gradient, float* dw, ThreadPool& pool) {
  const std::size_t n_rows = gradient.layer.n_rows(), n_cols = gradient.layer.n_cols();
  const std::size_t n = gradient.n_tokens;
  // An odd number of cache lines between rows, or rows of 2^n numbers would fight for one cache set.
  const std::size_t stride = ((n + 15) / 16 | 1) * 16;
  const auto grow = [](std::vector<float>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
  };
  grow(x_, n_cols * stride);
  grow(dy_, n_rows * stride);
  grow(tiles_, pool.size() * kTileRows * kTileColumns);
  const auto columns_to_rows = [&](const float* from, std::size_t ld, std::size_t width, float* to) {
    pool.parallel_for(width, 64, [&](std::size_t begin, std::size_t end, unsigned) {
      transpose(from + begin, ld, n, end - begin, to + begin * stride, stride);
    });
  };
  columns_to_rows(gradient.x, n_cols, n_cols, x_.data());
  columns_to_rows(gradient.dy, gradient.dy_stride, n_rows, dy_.data());
  const std::size_t column_tiles = (n_cols + kTileColumns - 1) / kTileColumns;
  const std::size_t row_tiles = (n_rows + kTileRows - 1) / kTileRows;
  const kernels::KernelTable& table = kernels::active_table();
  pool.parallel_for(column_tiles * row_tiles, 1, [&](std::size_t begin, std::size_t end, unsigned worker) {
    float* const tile = tiles_.data() + worker * kTileRows * kTileColumns;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t k = i % column_tiles * kTileColumns, r = i / column_tiles * kTileRows;
      const std::size_t n_k = std::min(kTileColumns, n_cols - k), n_r = std::min(kTileRows, n_rows - r);
      table.gemm_f32(dy_.data() + r * stride, stride, x_.data() + k * stride, stride, tile, n_k, n_r, n_k, n);
      for (std::size_t j = 0; j < n_r; ++j)
        table.axpy_f32(1.0F, tile + j * n_k, dw + (r + j) * n_cols + k, n_k);
    }
  });
}

}  // namespace kerf

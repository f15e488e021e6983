// Rows of the weight are decoded and turned in slabs: of a slab [n, K] the transposed [K, n] is what gemm_f32
// wants beside dy. The slabs' sums are added in their order, whoever computes them.
#include "kerf/kernels/matmul_transposed.h"

#include <algorithm>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"
#include "kerf/kernels/transpose.h"

namespace kerf {
namespace {

// Rows of a slab. Longer ones make gemm_f32's sums longer and cheaper; K · kSlab floats are the memory.
constexpr std::size_t kSlab = 1536;
// Rows that are decoded before they are turned: they stay in the first-level cache or near it.
constexpr std::size_t kDecoded = 16;
// The tile of transposed rows that a thread works on should stay in its half of the second-level cache.
constexpr std::size_t kTileBytes = 192 << 10;
constexpr std::size_t kTileStep = 12;  // every table's register tile has 3, 4 or 6 rows

// The calling thread's memory number `which`, kept for its next call.
template <int which>
float* scratch(std::size_t n) {
  thread_local std::vector<float> floats;
  if (floats.size() < n) floats.resize(n);
  return floats.data();
}

class Slab {
 public:
  Slab(const WeightView& w, std::size_t first_row, std::size_t n_rows)
      : w_(w), first_row_(first_row), n_rows_(n_rows), stride_(padded_stride(n_rows)) {
    turned_ = scratch<0>(w.n_cols * stride_);
  }

  void decode(ThreadPool& pool) const {
    const std::size_t row_bytes = w_.format->row_bytes(w_.n_cols);
    const auto decode_row = decode_loop(*w_.format);
    pool.parallel_for(n_rows_, kDecoded, [&](std::size_t begin, std::size_t end, unsigned) {
      float* const rows = scratch<1>(kDecoded * padded_stride(w_.n_cols));
      for (std::size_t r = begin; r < end; ++r)
        decode_row(w_.bytes + (first_row_ + r) * row_bytes, rows + (r - begin) * padded_stride(w_.n_cols),
                   w_.n_cols);
      transpose(rows, padded_stride(w_.n_cols), end - begin, w_.n_cols, turned_ + begin, stride_);
    });
  }

  void multiply(const float* dy, std::size_t dy_stride, std::size_t n_tokens, float* dx, bool add,
                ThreadPool& pool) const {
    const kernels::KernelTable& table = kernels::active_table();
    const std::size_t width = w_.n_cols;
    const std::size_t fitting = kTileBytes / sizeof(float) / stride_ / kTileStep * kTileStep;
    const std::size_t even = round_up(std::max<std::size_t>(width / (4 * pool.size()), 1), kTileStep);
    const std::size_t piece = std::max(kTileStep, std::min(fitting, even));
    pool.parallel_for(width, piece, [&](std::size_t begin, std::size_t end, unsigned) {
      const std::size_t n = end - begin;
      float* const sums = add ? scratch<1>(n_tokens * n) : dx + begin;
      const std::size_t sums_stride = add ? n : width;
      table.gemm_f32(dy + first_row_, dy_stride, turned_ + begin * stride_, stride_, sums, sums_stride,
                     n_tokens, n, n_rows_);
      if (!add) return;
      for (std::size_t t = 0; t < n_tokens; ++t)
        table.axpy_f32(1.0F, sums + t * n, dx + t * width + begin, n);
    });
  }

 private:
  const WeightView& w_;
  std::size_t first_row_;
  std::size_t n_rows_;
  std::size_t stride_;
  float* turned_;  // [K, n_rows]
};

}  // namespace

void matmul_transposed(const WeightView& w, const float* dy, std::size_t dy_stride, std::size_t n_tokens,
                       float* dx, bool add, ThreadPool& pool) {
  KERF_CHECK(w.format->fits(w.n_cols));
  if (n_tokens == 0) return;
  for (std::size_t first = 0; first < w.n_rows; first += kSlab) {
    const Slab slab(w, first, std::min(kSlab, w.n_rows - first));
    slab.decode(pool);
    slab.multiply(dy, dy_stride, n_tokens, dx, add || first > 0, pool);
  }
  if (w.n_rows == 0 && !add) std::fill_n(dx, n_tokens * w.n_cols, 0.0F);
}

}  // namespace kerf

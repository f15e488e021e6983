// Splits the rows of a weight among the threads; every row is worked on by one thread, in one order of K, so
// the result depends neither on the number of threads nor on how many tokens come together.
#include "kerf/kernels/matmul.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"

namespace kerf {
namespace {

using kernels::EncodedRows;
using kernels::KernelTable;

// The tile of decoded rows that a thread works on should stay in its half of the second-level cache.
constexpr std::size_t kTileBytes = 128 << 10;
// Rows of a tile come in multiples of 12: every table's register tile has 3, 4 or 6 rows.
constexpr std::size_t kRowStep = 12;
// An odd number of cache lines between rows of a tile, or rows of 2^n numbers would fight for one cache set.
constexpr std::size_t kLineFloats = 16;

const EncodedRows* encoded_rows(const KernelTable& table, const Format& format) noexcept {
  if (!format.in_gguf()) return nullptr;
  for (std::size_t i = 0; i < table.n_encoded; ++i)
    if (table.encoded[i].gguf_type == format.gguf_type) return &table.encoded[i];
  return nullptr;
}

struct FreeScratch {
  void operator()(float* p) const noexcept { std::free(p); }
};

// This thread's buffer of at least n floats, aligned to a cache line; kept for the next call.
float* scratch(std::size_t n) {
  thread_local std::unique_ptr<float, FreeScratch> buffer;
  thread_local std::size_t capacity = 0;
  if (capacity < n) {
    const std::size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    buffer.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    KERF_CHECK(buffer != nullptr);
    capacity = n;
  }
  return buffer.get();
}

// Whether the weight's bytes already are the numbers that gemm_f32 reads.
bool is_plain_f32(const WeightView& w) {
  return w.format->gguf_type == formats::f32.gguf_type &&
         reinterpret_cast<std::uintptr_t>(w.bytes) % alignof(float) == 0;
}

class Product {
 public:
  Product(const KernelTable& table, const WeightView& w, const float* x, std::size_t n_tokens, float* y,
          std::size_t y_stride)
      : table_(table), w_(w), x_(x), n_tokens_(n_tokens), y_(y), y_stride_(y_stride) {}

  [[nodiscard]] std::size_t rows_per_piece(unsigned n_threads) const {
    // A row's share of the second-level cache; for a single token nothing is kept, pieces only have to be
    // small enough for an even split.
    const std::size_t fitting = kTileBytes / sizeof(float) / std::max<std::size_t>(w_.n_cols, 1);
    const std::size_t even = w_.n_rows / (4 * n_threads);
    return std::max(
        kRowStep, std::min(n_tokens_ == 1 ? even : fitting, std::max(even, kRowStep)) / kRowStep * kRowStep);
  }

  void rows(std::size_t begin, std::size_t end) const {
    const std::uint8_t* bytes = w_.bytes + begin * row_bytes_;
    if (plain_f32_) return gemm(reinterpret_cast<const float*>(bytes), w_.n_cols, begin, end);
    if (n_tokens_ == 1 && encoded_ != nullptr)
      return encoded_->matvec(bytes, x_, y_ + begin, end - begin, w_.n_cols);
    const std::size_t stride = ((w_.n_cols + kLineFloats - 1) / kLineFloats | 1) * kLineFloats;
    float* const tile = scratch((end - begin) * stride);
    const auto decode = encoded_ != nullptr ? encoded_->decode : w_.format->decode;
    for (std::size_t r = 0; r < end - begin; ++r)
      decode(bytes + r * row_bytes_, tile + r * stride, w_.n_cols);
    gemm(tile, stride, begin, end);
  }

 private:
  void gemm(const float* b, std::size_t ldb, std::size_t begin, std::size_t end) const {
    table_.gemm_f32(x_, w_.n_cols, b, ldb, y_ + begin, y_stride_, n_tokens_, end - begin, w_.n_cols);
  }

  const KernelTable& table_;
  const WeightView& w_;
  const float* x_;
  std::size_t n_tokens_;
  float* y_;
  std::size_t y_stride_;
  const EncodedRows* encoded_ = encoded_rows(table_, *w_.format);
  bool plain_f32_ = is_plain_f32(w_);
  std::size_t row_bytes_ = w_.format->row_bytes(w_.n_cols);
};

}  // namespace

void matmul(const KernelTable& table, const WeightView& w, const float* x, std::size_t n_tokens, float* y,
            std::size_t y_stride, ThreadPool& pool) {
  KERF_CHECK(w.format->fits(w.n_cols));
  if (n_tokens == 0 || w.n_rows == 0) return;
  const Product product(table, w, x, n_tokens, y, y_stride);
  pool.parallel_for(w.n_rows, product.rows_per_piece(pool.size()),
                    [&](std::size_t begin, std::size_t end, unsigned) { product.rows(begin, end); });
}

void matmul(const WeightView& w, const float* x, std::size_t n_tokens, float* y, std::size_t y_stride,
            ThreadPool& pool) {
  matmul(kernels::active_table(), w, x, n_tokens, y, y_stride, pool);
}

void (*decode_loop(const Format& format) noexcept)(const std::uint8_t*, float*, std::size_t) {
  const EncodedRows* encoded = encoded_rows(kernels::active_table(), format);
  return encoded != nullptr ? encoded->decode : format.decode;
}

}  // namespace kerf

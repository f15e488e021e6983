// Rows of encoded formats: decoded in registers, and multiplied without ever being written to memory. Written
// once for every instruction set: a file of an ISA folder includes that folder's lanes.h and then this, and
// everything here has internal linkage, so that each folder gets its own code.
//
// A block format is a struct with
//   kType, kSize, kBytes      number of the GGUF type, numbers per block, bytes per block
//   kGroups, kVectors         a block is worked on in kGroups groups of kVectors·kLanes numbers, in order of
//   k Head, head(block)         what its groups share: the scales, unpacked group<g>(block, head, w)  the
//   kVectors vectors of group g
// Of numbers stored one by one it has kType, kBytes and load(lanes, bytes); those are defined here.
#pragma once

#include "kerf/kernels/blocks.h"
#include "kerf/kernels/kernel.h"

namespace kerf::kernels {
namespace {

// Rows that are worked on together: they share the loads of x, and while one row's chain of multiply-adds
// waits for itself the others go on.
constexpr int kRows = 4;

// Rows of a few hundred bytes are too short for the hardware to notice that they follow each other, so the
// bytes of the next rows are asked for by hand, a little earlier than they are needed: one thread then reads
// Q8_0 from memory three times as fast. A prefetch beyond the weight does nothing.
constexpr std::size_t kPrefetchBytes = 2048;

class Prefetcher {
 public:
  /// For rows that are worked on together and lie one after the other.
  KERF_INLINE Prefetcher(Bytes rows, std::size_t bytes_of_rows)
      : at_(rows + bytes_of_rows + kPrefetchBytes) {}
  KERF_INLINE void next(std::size_t bytes) {
    for (std::size_t line = 0; line < bytes; line += 64) __builtin_prefetch(at_ + line);
    at_ += bytes;
  }

 private:
  Bytes at_;
};

// Calls step.template operator()<g>() for g = 0 … n − 1.
template <int n, int g = 0, class Step>
KERF_INLINE void for_groups(Step&& step) {
  if constexpr (g < n) {
    step.template operator()<g>();
    for_groups<n, g + 1>(step);
  }
}

template <class Block>
void decode_blocks(Bytes src, float* dst, std::size_t n_k) {
  for (std::size_t k = 0; k < n_k; k += Block::kSize, src += Block::kBytes) {
    const auto head = Block::head(src);
    for_groups<Block::kGroups>([&]<int g>() __attribute__((always_inline)) {
      Vector w[Block::kVectors];
      Block::template group<g>(src, head, w);
#pragma GCC unroll 8
      for (int i = 0; i < Block::kVectors; ++i, dst += kLanes) store(All{}, dst, w[i]);
    });
  }
}

template <class Block, int NR>
void multiply_block_rows(Bytes w, std::size_t row_bytes, const float* x, float* y, std::size_t n_k) {
  Vector sum[NR];
#pragma GCC unroll 4
  for (int r = 0; r < NR; ++r) sum[r] = zero();
  Prefetcher prefetcher(w, NR * row_bytes);
  for (std::size_t k = 0; k < n_k; k += Block::kSize, w += Block::kBytes) {
    prefetcher.next(NR * Block::kBytes);
    typename Block::Head head[NR];
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r) head[r] = Block::head(w + r * row_bytes);
    for_groups<Block::kGroups>([&]<int g>() __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int r = 0; r < NR; ++r) {
        Vector numbers[Block::kVectors];
        Block::template group<g>(w + r * row_bytes, head[r], numbers);
#pragma GCC unroll 8
        for (int i = 0; i < Block::kVectors; ++i)
          sum[r] = multiply_add(load(All{}, x + i * kLanes), numbers[i], sum[r]);
      }
      x += Block::kVectors * kLanes;
    });
  }
  store_sums<NR>(sum, y);
}

struct F32 {
  static constexpr std::uint32_t kType = kF32;
  static constexpr std::uint32_t kBytes = 4;
  template <class Lanes>
  static KERF_INLINE Vector load(Lanes lanes, Bytes p) {
    return kernels::load(lanes, reinterpret_cast<const float*>(p));
  }
};

struct F16 {
  static constexpr std::uint32_t kType = kF16;
  static constexpr std::uint32_t kBytes = 2;
  template <class Lanes>
  static KERF_INLINE Vector load(Lanes lanes, Bytes p) {
    return widen_f16(load_halves(lanes, p));
  }
};

struct BF16 {
  static constexpr std::uint32_t kType = kBF16;
  static constexpr std::uint32_t kBytes = 2;
  template <class Lanes>
  static KERF_INLINE Vector load(Lanes lanes, Bytes p) {
    return widen_bf16(load_halves(lanes, p));
  }
};

template <class Number>
void decode_numbers(Bytes src, float* dst, std::size_t n_k) {
  for_lanes(n_k, [&](std::size_t k, auto lanes) {
    store(lanes, dst + k, Number::load(lanes, src + k * Number::kBytes));
  });
}

template <class Number, int NR>
void multiply_number_rows(Bytes w, std::size_t row_bytes, const float* x, float* y, std::size_t n_k) {
  Vector sum[NR];
#pragma GCC unroll 4
  for (int r = 0; r < NR; ++r) sum[r] = zero();
  for_lanes(
      n_k, [&](std::size_t k, auto lanes) __attribute__((always_inline)) {
        const Vector token = load(lanes, x + k);
#pragma GCC unroll 4
        for (int r = 0; r < NR; ++r)
          sum[r] = multiply_add(token, Number::load(lanes, w + r * row_bytes + k * Number::kBytes), sum[r]);
      });
  store_sums<NR>(sum, y);
}

using MultiplyRows = void (*)(Bytes w, std::size_t row_bytes, const float* x, float* y, std::size_t n_k);

KERF_INLINE void multiply_all_rows(MultiplyRows several, MultiplyRows one, std::size_t row_bytes, Bytes w,
                                   const float* x, float* y, std::size_t n_r, std::size_t n_k) {
  std::size_t r = 0;
  for (; r + kRows <= n_r; r += kRows) several(w + r * row_bytes, row_bytes, x, y + r, n_k);
  for (; r < n_r; ++r) one(w + r * row_bytes, row_bytes, x, y + r, n_k);
}

template <class Block>
void multiply_blocks(Bytes w, const float* x, float* y, std::size_t n_r, std::size_t n_k) {
  multiply_all_rows(multiply_block_rows<Block, kRows>, multiply_block_rows<Block, 1>,
                    n_k / Block::kSize * Block::kBytes, w, x, y, n_r, n_k);
}

template <class Number>
void multiply_numbers(Bytes w, const float* x, float* y, std::size_t n_r, std::size_t n_k) {
  multiply_all_rows(multiply_number_rows<Number, kRows>, multiply_number_rows<Number, 1>,
                    n_k * Number::kBytes, w, x, y, n_r, n_k);
}

template <class Block>
constexpr EncodedRows blocks() {
  return {.gguf_type = Block::kType,
          .block_size = Block::kSize,
          .block_bytes = Block::kBytes,
          .decode = decode_blocks<Block>,
          .matvec = multiply_blocks<Block>};
}

template <class Number>
constexpr EncodedRows numbers() {
  return {.gguf_type = Number::kType,
          .block_size = 1,
          .block_bytes = Number::kBytes,
          .decode = decode_numbers<Number>,
          .matvec = multiply_numbers<Number>};
}

}  // namespace
}  // namespace kerf::kernels

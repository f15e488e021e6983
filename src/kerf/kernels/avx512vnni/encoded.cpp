// Rows of encoded formats: decoded in registers, and multiplied without ever being written to memory.
#include "kerf/kernels/avx512vnni/blocks.h"
#include "kerf/kernels/avx512vnni/functions.h"

namespace kerf::kernels {
namespace {

// Rows that are worked on together: they share the loads of x, and while one row's chain of multiply-adds
// waits for itself the others go on.
constexpr int kRows = 4;

// Writes the sums of NR <= 4 rows.
template <int NR>
KERF_INLINE void store_sums(const __m512* sum, float* y) {
  const __m512 zero = _mm512_setzero_ps();
  const __m512 quarters = reduce_to_quarters(sum[0], NR > 1 ? sum[1 % NR] : zero, NR > 2 ? sum[2 % NR] : zero,
                                             NR > 3 ? sum[3 % NR] : zero);
  const __m512 by2 = _mm512_add_ps(quarters, _mm512_permute_ps(quarters, 0x4E));
  const __m512 by1 = _mm512_add_ps(by2, _mm512_permute_ps(by2, 0xB1));
  constexpr __mmask16 kOnePerRow = 0x1111 & ((1U << 4 * NR) - 1U);
  _mm512_mask_compressstoreu_ps(y, kOnePerRow, by1);
}

// --- blocks ---

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
      __m512 w[Block::kVectors];
      Block::template group<g>(src, head, w);
#pragma GCC unroll 8
      for (int i = 0; i < Block::kVectors; ++i, dst += kLanes) _mm512_storeu_ps(dst, w[i]);
    });
  }
}

template <class Block, int NR>
void multiply_block_rows(Bytes w, const float* x, float* y, std::size_t n_k) {
  const std::size_t row_bytes = n_k / Block::kSize * Block::kBytes;
  __m512 sum[NR];
  for (int r = 0; r < NR; ++r) sum[r] = _mm512_setzero_ps();
  for (std::size_t k = 0; k < n_k; k += Block::kSize, w += Block::kBytes) {
    typename Block::Head head[NR];
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r) head[r] = Block::head(w + r * row_bytes);
    for_groups<Block::kGroups>([&]<int g>() __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int r = 0; r < NR; ++r) {
        __m512 numbers[Block::kVectors];
        Block::template group<g>(w + r * row_bytes, head[r], numbers);
#pragma GCC unroll 8
        for (int i = 0; i < Block::kVectors; ++i)
          sum[r] = _mm512_fmadd_ps(_mm512_loadu_ps(x + i * kLanes), numbers[i], sum[r]);
      }
      x += Block::kVectors * kLanes;
    });
  }
  store_sums<NR>(sum, y);
}

template <class Block>
void multiply_blocks(Bytes w, const float* x, float* y, std::size_t n_r, std::size_t n_k) {
  const std::size_t row_bytes = n_k / Block::kSize * Block::kBytes;
  std::size_t r = 0;
  for (; r + kRows <= n_r; r += kRows) multiply_block_rows<Block, kRows>(w + r * row_bytes, x, y + r, n_k);
  for (; r < n_r; ++r) multiply_block_rows<Block, 1>(w + r * row_bytes, x, y + r, n_k);
}

template <class Block>
constexpr EncodedRows blocks() {
  return {.gguf_type = Block::kType,
          .block_size = Block::kSize,
          .block_bytes = Block::kBytes,
          .decode = decode_blocks<Block>,
          .matvec = multiply_blocks<Block>};
}

// --- numbers stored one by one: kBytes each, load(p, mask) gives 16 of them ---

struct F32 {
  static constexpr std::uint32_t kType = kF32;
  static constexpr std::uint32_t kBytes = 4;
  static KERF_INLINE __m512 load(Bytes p, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, p); }
};

struct F16 {
  static constexpr std::uint32_t kType = kF16;
  static constexpr std::uint32_t kBytes = 2;
  static KERF_INLINE __m512 load(Bytes p, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, p));
  }
};

struct BF16 {
  static constexpr std::uint32_t kType = kBF16;
  static constexpr std::uint32_t kBytes = 2;
  static KERF_INLINE __m512 load(Bytes p, __mmask16 mask) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(low, 16));
  }
};

template <class Number>
void decode_numbers(Bytes src, float* dst, std::size_t n_k) {
  for_lanes(n_k, [&](std::size_t k, __mmask16 mask) {
    _mm512_mask_storeu_ps(dst + k, mask, Number::load(src + k * Number::kBytes, mask));
  });
}

template <class Number, int NR>
void multiply_number_rows(Bytes w, const float* x, float* y, std::size_t n_k) {
  const std::size_t row_bytes = n_k * Number::kBytes;
  __m512 sum[NR];
  for (int r = 0; r < NR; ++r) sum[r] = _mm512_setzero_ps();
  for_lanes(
      n_k, [&](std::size_t k, __mmask16 mask) __attribute__((always_inline)) {
        const __m512 token = _mm512_maskz_loadu_ps(mask, x + k);
#pragma GCC unroll 4
        for (int r = 0; r < NR; ++r)
          sum[r] = _mm512_fmadd_ps(token, Number::load(w + r * row_bytes + k * Number::kBytes, mask), sum[r]);
      });
  store_sums<NR>(sum, y);
}

template <class Number>
void multiply_numbers(Bytes w, const float* x, float* y, std::size_t n_r, std::size_t n_k) {
  const std::size_t row_bytes = n_k * Number::kBytes;
  std::size_t r = 0;
  for (; r + kRows <= n_r; r += kRows) multiply_number_rows<Number, kRows>(w + r * row_bytes, x, y + r, n_k);
  for (; r < n_r; ++r) multiply_number_rows<Number, 1>(w + r * row_bytes, x, y + r, n_k);
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

namespace avx512vnni {

const EncodedRows encoded_rows[kEncodedFormats] = {
    numbers<F32>(), numbers<F16>(), numbers<BF16>(), blocks<Q8_0>(),   blocks<Q4_0>(),
    blocks<Q4_1>(), blocks<Q5_0>(), blocks<Q5_1>(),  blocks<IQ4_NL>(), blocks<Q4_K>(),
    blocks<Q5_K>(), blocks<Q6_K>(), blocks<Q3_K>(),  blocks<Q2_K>(),   blocks<IQ4_XS>()};

}  // namespace avx512vnni
}  // namespace kerf::kernels

// AVX-512 with VNNI: the simple loops, and the table.
#include "kerf/kernels/avx512vnni/functions.h"
#include "kerf/kernels/avx512vnni/lanes.h"

namespace kerf::kernels {
namespace {

void axpy_f32(float scale, const float* x, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 sum = _mm512_fmadd_ps(_mm512_set1_ps(scale), _mm512_maskz_loadu_ps(mask, x + i),
                                       _mm512_maskz_loadu_ps(mask, y + i));
    _mm512_mask_storeu_ps(y + i, mask, sum);
  });
}

float sum_squares(const float* x, std::size_t n) {
  return avx512vnni::dot_f32(x, x, n);
}

float max_f32(const float* x, std::size_t n) {
  __m512 largest = _mm512_set1_ps(x[0]);
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 v = _mm512_mask_loadu_ps(largest, mask, x + i);
    largest = _mm512_mask_mov_ps(largest, _mm512_cmp_ps_mask(v, largest, _CMP_GT_OQ), v);
  });
  return _mm512_reduce_max_ps(largest);
}

void scale_by(const float* x, float scale, const float* weight, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(scale));
    _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(mask, weight + i)));
  });
}

void scale_f32(float scale, float* x, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_mul_ps(v, _mm512_set1_ps(scale)));
  });
}

void rotate_halves(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for_lanes(n_pairs, [&](std::size_t i, __mmask16 mask) {
    const __m512 a = _mm512_maskz_loadu_ps(mask, x + i);
    const __m512 b = _mm512_maskz_loadu_ps(mask, x + i + n_pairs);
    const __m512 c = _mm512_maskz_loadu_ps(mask, cos + i);
    const __m512 s = _mm512_maskz_loadu_ps(mask, sin + i);
    _mm512_mask_storeu_ps(x + i, mask, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
    _mm512_mask_storeu_ps(x + i + n_pairs, mask, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
  });
}

// Runs over single numbers: cos and sin are spread to both members of a pair, whose second member is
// fetched by swapping neighbours. even: a·c − b·s; odd: b·c + a·s.
void rotate_neighbours(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  const __m512i spread = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  for_lanes(2 * n_pairs, [&](std::size_t i, __mmask16 mask) {
    const std::size_t left = n_pairs - i / 2;
    const __mmask16 pairs = left < 8 ? first(left) : static_cast<__mmask16>(0xFF);
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    const __m512 swapped = _mm512_permute_ps(v, 0xB1);
    const __m512 c = _mm512_permutexvar_ps(spread, _mm512_maskz_loadu_ps(pairs, cos + i / 2));
    const __m512 s = _mm512_permutexvar_ps(spread, _mm512_maskz_loadu_ps(pairs, sin + i / 2));
    _mm512_mask_storeu_ps(x + i, mask, _mm512_fmaddsub_ps(v, c, _mm512_mul_ps(swapped, s)));
  });
}

void f16_to_f32(const std::uint16_t* x, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    _mm512_mask_storeu_ps(y + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
  });
}

void f32_to_f16(const float* x, std::uint16_t* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    _mm256_mask_storeu_epi16(y + i, mask, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  });
}

}  // namespace

const KernelTable avx512vnni_table{.isa = "avx512vnni",
                                   .dot_f32 = avx512vnni::dot_f32,
                                   .axpy_f32 = axpy_f32,
                                   .gemm_f32 = avx512vnni::gemm_f32,
                                   .weighted_sum = avx512vnni::weighted_sum,
                                   .sum_squares = sum_squares,
                                   .max_f32 = max_f32,
                                   .scale_by = scale_by,
                                   .scale_f32 = scale_f32,
                                   .exp_shifted = avx512vnni::exp_shifted,
                                   .silu_mul = avx512vnni::silu_mul,
                                   .gelu_mul = avx512vnni::gelu_mul,
                                   .rotate_halves = rotate_halves,
                                   .rotate_neighbours = rotate_neighbours,
                                   .f16_to_f32 = f16_to_f32,
                                   .f32_to_f16 = f32_to_f16,
                                   .encoded = avx512vnni::encoded_rows,
                                   .n_encoded = avx512vnni::kEncodedFormats};

}  // namespace kerf::kernels

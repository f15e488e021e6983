// AVX2 with FMA and F16C: what loops.h leaves to the instruction set, and the table.
#include "kerf/kernels/avx2/encoded.h"
#include "kerf/kernels/avx2/lanes.h"
#include "kerf/kernels/loops.h"

namespace kerf::kernels {
namespace {

// Spreads numbers 0 … 3 over the pairs of lanes.
KERF_INLINE Vector spread(__m128 v) {
  return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(v), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

// Runs over single numbers: cos and sin are spread to both members of a pair, whose second member is
// fetched by swapping neighbours. even: a·c − b·s; odd: b·c + a·s.
void rotate_neighbours(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for_lanes(2 * n_pairs, [&](std::size_t i, auto lanes) {
    const std::size_t left = n_pairs - i / 2;
    const __m128i pairs = _mm256_castsi256_si128(first(left < kLanes / 2 ? left : kLanes / 2).mask);
    const Vector v = load(lanes, x + i);
    const Vector swapped = _mm256_permute_ps(v, 0xB1);
    const Vector c = spread(_mm_maskload_ps(cos + i / 2, pairs));
    const Vector s = spread(_mm_maskload_ps(sin + i / 2, pairs));
    store(lanes, x + i, _mm256_fmaddsub_ps(v, c, multiply(swapped, s)));
  });
}

}  // namespace

const KernelTable avx2_table{.isa = "avx2",
                             .dot_f32 = dot_f32,
                             .axpy_f32 = axpy_f32,
                             .gemm_f32 = gemm_f32,
                             .weighted_sum = weighted_sum,
                             .sum_squares = sum_squares,
                             .max_f32 = max_f32,
                             .scale_by = scale_by,
                             .scale_f32 = scale_f32,
                             .exp_shifted = exp_shifted,
                             .silu_mul = silu_mul,
                             .gelu_mul = gelu_mul,
                             .rotate_halves = rotate_halves,
                             .rotate_neighbours = rotate_neighbours,
                             .f16_to_f32 = f16_to_f32,
                             .f32_to_f16 = f32_to_f16,
                             .encoded = avx2::encoded_rows,
                             .n_encoded = avx2::kEncodedFormats};

}  // namespace kerf::kernels

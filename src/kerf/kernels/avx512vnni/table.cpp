// AVX-512 with VNNI: what loops.h leaves to the instruction set, and the table.
#include "kerf/kernels/avx512vnni/encoded.h"
#include "kerf/kernels/avx512vnni/lanes.h"
#include "kerf/kernels/loops.h"

namespace kerf::kernels {
namespace {

// Runs over single numbers: cos and sin are spread to both members of a pair, whose second member is
// fetched by swapping neighbours. even: a·c − b·s; odd: b·c + a·s.
void rotate_neighbours(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  const __m512i spread = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  for_lanes(2 * n_pairs, [&](std::size_t i, auto lanes) {
    const std::size_t left = n_pairs - i / 2;
    const First pairs = first(left < kLanes / 2 ? left : kLanes / 2);
    const Vector v = load(lanes, x + i);
    const Vector swapped = _mm512_permute_ps(v, 0xB1);
    const Vector c = _mm512_permutexvar_ps(spread, load(pairs, cos + i / 2));
    const Vector s = _mm512_permutexvar_ps(spread, load(pairs, sin + i / 2));
    store(lanes, x + i, _mm512_fmaddsub_ps(v, c, multiply(swapped, s)));
  });
}

}  // namespace

const KernelTable avx512vnni_table{.isa = "avx512vnni",
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
                                   .encoded = avx512vnni::encoded_rows,
                                   .n_encoded = avx512vnni::kEncodedFormats};

}  // namespace kerf::kernels

// Exponentials and what is made of them.
#include "kerf/kernels/avx2/functions.h"
#include "kerf/kernels/avx2/lanes.h"

namespace kerf::kernels {
namespace {

// 2^n for −126 <= n <= 127
KERF_INLINE __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

// exp(x) = 2^n · exp(r) with n = round(x / ln 2), |r| <= ln(2)/2. The Taylor polynomial of degree 7 is off by
// less than r^8/8! = 5e-9, far below half a unit in the last place (6e-8).
KERF_INLINE __m256 exp_lanes(__m256 x) {
  // Beyond these the result is 0 or infinity anyway; they keep n finite. The order of operands lets NaN pass.
  x = _mm256_min_ps(_mm256_set1_ps(89.0F), _mm256_max_ps(_mm256_set1_ps(-105.0F), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.62E4p-1F), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.7F7D1Cp-20F), r);
  __m256 p = _mm256_set1_ps(1.0F / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F));
  // Two factors, because 2^n itself need not be a finite normal number. Only the second one can round.
  const __m256i exponent = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(exponent, 1);
  return _mm256_mul_ps(_mm256_mul_ps(p, power_of_two(half)), power_of_two(_mm256_sub_epi32(exponent, half)));
}

// x / (1 + exp(−u))
KERF_INLINE __m256 gated(__m256 x, __m256 u) {
  const __m256 e = exp_lanes(_mm256_sub_ps(_mm256_setzero_ps(), u));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0F), e));
}

}  // namespace

namespace avx2 {

float exp_shifted(const float* x, float shift, float* y, std::size_t n) {
  __m256 sum = _mm256_setzero_ps();
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const __m256 e = exp_lanes(_mm256_sub_ps(load(lanes, x + i), _mm256_set1_ps(shift)));
    store(lanes, y + i, e);
    sum = _mm256_add_ps(sum, blend(lanes, _mm256_setzero_ps(), e));
  });
  return reduce(sum);
}

void silu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const __m256 x = load(lanes, gate + i);
    store(lanes, y + i, _mm256_mul_ps(gated(x, x), load(lanes, up + i)));
  });
}

void gelu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const __m256 x = load(lanes, gate + i);
    const __m256 cubic = _mm256_mul_ps(_mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(0.044715F), x), x), x);
    // 1/2·(1 + tanh(u)) = 1 / (1 + exp(−2u))
    const __m256 u2 = _mm256_mul_ps(_mm256_set1_ps(2 * 0.7978845608F), _mm256_add_ps(x, cubic));
    store(lanes, y + i, _mm256_mul_ps(gated(x, u2), load(lanes, up + i)));
  });
}

}  // namespace avx2
}  // namespace kerf::kernels

// Exponentials and what is made of them.
#include "kerf/kernels/avx512vnni/functions.h"
#include "kerf/kernels/avx512vnni/lanes.h"

namespace kerf::kernels {
namespace {

// exp(x) = 2^n · exp(r) with n = round(x / ln 2), |r| <= ln(2)/2. The Taylor polynomial of degree 7 is off by
// less than r^8/8! = 5e-9, far below half a unit in the last place (6e-8).
KERF_INLINE __m512 exp_lanes(__m512 x) {
  // Beyond these the result is 0 or infinity anyway; they keep n finite. The order of operands lets NaN pass.
  x = _mm512_min_ps(_mm512_set1_ps(89.0F), _mm512_max_ps(_mm512_set1_ps(-105.0F), x));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.62E4p-1F), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0x1.7F7D1Cp-20F), r);
  __m512 p = _mm512_set1_ps(1.0F / 5040);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F / 720));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F / 120));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F / 24));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F / 6));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F));
  return _mm512_scalef_ps(p, n);
}

// x / (1 + exp(−u))
KERF_INLINE __m512 gated(__m512 x, __m512 u) {
  const __m512 e = exp_lanes(_mm512_sub_ps(_mm512_setzero_ps(), u));
  return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0F), e));
}

}  // namespace

namespace avx512vnni {

float exp_shifted(const float* x, float shift, float* y, std::size_t n) {
  __m512 sum = _mm512_setzero_ps();
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 shifted = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(shift));
    const __m512 e = exp_lanes(shifted);
    _mm512_mask_storeu_ps(y + i, mask, e);
    sum = _mm512_mask_add_ps(sum, mask, sum, e);
  });
  return reduce(sum);
}

void silu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 x = _mm512_maskz_loadu_ps(mask, gate + i);
    _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(gated(x, x), _mm512_maskz_loadu_ps(mask, up + i)));
  });
}

void gelu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    const __m512 x = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 cubic = _mm512_mul_ps(_mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(0.044715F), x), x), x);
    // 1/2·(1 + tanh(u)) = 1 / (1 + exp(−2u))
    const __m512 u2 = _mm512_mul_ps(_mm512_set1_ps(2 * 0.7978845608F), _mm512_add_ps(x, cubic));
    _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(gated(x, u2), _mm512_maskz_loadu_ps(mask, up + i)));
  });
}

}  // namespace avx512vnni
}  // namespace kerf::kernels

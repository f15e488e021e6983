// The vocabulary of loops.h and encoded_rows.h in AVX2 with FMA and F16C. Everything has internal linkage.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define KERF_INLINE inline __attribute__((always_inline))

namespace kerf::kernels {
namespace {

constexpr std::size_t kLanes = 8;
// 12 of 16 registers are sums, 3 hold tokens and 1 a row: 7 loads feed 12 multiply-adds.
constexpr std::size_t kTileTokens = 3;
constexpr std::size_t kTileRows = 4;

using Halves = __m128i;  // kLanes 16-bit numbers
using Vector = __m256;

/// Which lanes a step covers: all of them, or the first n < 8.
struct All {};
struct First {
  __m256i mask;
  std::size_t n;
};
KERF_INLINE First first(std::size_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane), n};
}

// Lanes that are not covered read as 0 and are not written.
KERF_INLINE Vector load(All, const float* p) {
  return _mm256_loadu_ps(p);
}
KERF_INLINE Vector load(First lanes, const float* p) {
  return _mm256_maskload_ps(p, lanes.mask);
}
KERF_INLINE void store(All, float* p, Vector v) {
  _mm256_storeu_ps(p, v);
}
KERF_INLINE void store(First lanes, float* p, Vector v) {
  _mm256_maskstore_ps(p, lanes.mask, v);
}
/// The same for 16-bit numbers, which have no masked moves.
KERF_INLINE Halves load_halves(All, const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
KERF_INLINE Halves load_halves(First lanes, const void* p) {
  std::uint16_t halves[kLanes] = {};
  __builtin_memcpy(halves, p, lanes.n * sizeof *halves);
  return load_halves(All{}, halves);
}
KERF_INLINE void store_halves(All, void* p, Halves v) {
  _mm_storeu_si128(static_cast<__m128i*>(p), v);
}
KERF_INLINE void store_halves(First lanes, void* p, Halves v) {
  std::uint16_t halves[kLanes];
  store_halves(All{}, halves, v);
  __builtin_memcpy(p, halves, lanes.n * sizeof *halves);
}
KERF_INLINE Vector widen_f16(Halves halves) {
  return _mm256_cvtph_ps(halves);
}
KERF_INLINE Vector widen_bf16(Halves halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
KERF_INLINE Halves narrow_f16(Vector v) {
  return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// `v` where covered, else `other`.
KERF_INLINE Vector blend(All, Vector, Vector v) {
  return v;
}
KERF_INLINE Vector blend(First lanes, Vector other, Vector v) {
  return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(lanes.mask));
}

KERF_INLINE Vector zero() {
  return _mm256_setzero_ps();
}
KERF_INLINE Vector splat(float v) {
  return _mm256_set1_ps(v);
}
KERF_INLINE Vector add(Vector a, Vector b) {
  return _mm256_add_ps(a, b);
}
KERF_INLINE Vector subtract(Vector a, Vector b) {
  return _mm256_sub_ps(a, b);
}
KERF_INLINE Vector multiply(Vector a, Vector b) {
  return _mm256_mul_ps(a, b);
}
KERF_INLINE Vector divide(Vector a, Vector b) {
  return _mm256_div_ps(a, b);
}
/// a·b + c, rounded once; multiply_subtract: a·b − c; subtract_product: c − a·b.
KERF_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
KERF_INLINE Vector multiply_subtract(Vector a, Vector b, Vector c) {
  return _mm256_fmsub_ps(a, b, c);
}
KERF_INLINE Vector subtract_product(Vector a, Vector b, Vector c) {
  return _mm256_fnmadd_ps(a, b, c);
}
/// b where a or b is NaN: the order of operands matters.
KERF_INLINE Vector minimum(Vector a, Vector b) {
  return _mm256_min_ps(a, b);
}
KERF_INLINE Vector maximum(Vector a, Vector b) {
  return _mm256_max_ps(a, b);
}
KERF_INLINE Vector round(Vector v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// v · 2^n for whole n, −152 <= n <= 129, rounded once.
KERF_INLINE Vector times_power_of_two(Vector v, Vector n) {
  // Two factors, because 2^n itself need not be a finite normal number. Only the second one can round.
  const auto power = [](__m256i e) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
  };
  const __m256i exponent = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(exponent, 1);
  return multiply(multiply(v, power(half)), power(_mm256_sub_epi32(exponent, half)));
}
KERF_INLINE float largest_of(Vector v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/// Calls step(i, lanes) for vectors of 8 numbers that cover [0, n); only the last may be partial.
template <class Step>
KERF_INLINE void for_lanes(std::size_t n, Step step) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) step(i, All{});
  if (i < n) step(i, first(n - i));
}

// The sum over the lanes adds what is 4 apart, then 2 and 1 apart, however many vectors are summed at once.
KERF_INLINE float sum_of(Vector v) {
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}
KERF_INLINE __m128 sums_of(Vector a, Vector b, Vector c, Vector d) {
  const auto by4 = [](Vector u, Vector v) {
    return add(_mm256_permute2f128_ps(u, v, 0x20), _mm256_permute2f128_ps(u, v, 0x31));
  };
  const __m256d ac = _mm256_castps_pd(by4(a, c));
  const __m256d bd = _mm256_castps_pd(by4(b, d));
  const Vector by2 =
      add(_mm256_castpd_ps(_mm256_unpacklo_pd(ac, bd)), _mm256_castpd_ps(_mm256_unpackhi_pd(ac, bd)));
  const Vector by1 = _mm256_hadd_ps(by2, by2);
  return _mm_movelh_ps(_mm256_castps256_ps128(by1), _mm256_extractf128_ps(by1, 1));
}
/// Writes the first n <= 4 of four numbers.
template <int n>
KERF_INLINE void store_first(float* p, __m128 v) {
  if constexpr (n == 4) {
    _mm_storeu_ps(p, v);
  } else {
    _mm_maskstore_ps(p, _mm_setr_epi32(-1, -(n > 1), -(n > 2), 0), v);
  }
}

/// Writes the sums over the lanes of n <= 4 vectors.
template <int n>
KERF_INLINE void store_sums(const Vector* sum, float* y) {
  store_first<n>(y, sums_of(sum[0], n > 1 ? sum[1 % n] : zero(), n > 2 ? sum[2 % n] : zero(),
                            n > 3 ? sum[3 % n] : zero()));
}

/// c[t · ldc + r] = the sum over the lanes of sum[r][t], for r < NR <= 4, t < NT.
template <int NT, int NR>
KERF_INLINE void store_tile(const Vector (*sum)[NT], float* c, std::size_t ldc) {
#pragma GCC unroll 4
  for (int t = 0; t < NT; ++t)
    store_first<NR>(c + t * ldc, sums_of(sum[0][t], NR > 1 ? sum[1 % NR][t] : zero(),
                                         NR > 2 ? sum[2 % NR][t] : zero(), NR > 3 ? sum[3 % NR][t] : zero()));
}

}  // namespace
}  // namespace kerf::kernels

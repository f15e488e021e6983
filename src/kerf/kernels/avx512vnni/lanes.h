// The vocabulary of loops.h and encoded_rows.h in AVX-512. Everything has internal linkage.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define KERF_INLINE inline __attribute__((always_inline))

namespace kerf::kernels {
namespace {

constexpr std::size_t kLanes = 16;
// 24 of 32 registers are sums, 4 hold tokens and 1 a row: 10 loads feed 24 multiply-adds.
constexpr std::size_t kTileTokens = 4;
constexpr std::size_t kTileRows = 6;

using Halves = __m256i;  // kLanes 16-bit numbers
using Vector = __m512;

/// Which lanes a step covers: all of them, or the first n < 16.
struct All {};
struct First {
  __mmask16 mask;
};
KERF_INLINE First first(std::size_t n) {
  return {static_cast<__mmask16>((1U << n) - 1U)};
}

// Lanes that are not covered read as 0 and are not written.
KERF_INLINE Vector load(All, const float* p) {
  return _mm512_loadu_ps(p);
}
KERF_INLINE Vector load(First lanes, const float* p) {
  return _mm512_maskz_loadu_ps(lanes.mask, p);
}
KERF_INLINE void store(All, float* p, Vector v) {
  _mm512_storeu_ps(p, v);
}
KERF_INLINE void store(First lanes, float* p, Vector v) {
  _mm512_mask_storeu_ps(p, lanes.mask, v);
}
/// The same for 16-bit numbers.
KERF_INLINE Halves load_halves(All, const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
KERF_INLINE Halves load_halves(First lanes, const void* p) {
  return _mm256_maskz_loadu_epi16(lanes.mask, p);
}
KERF_INLINE void store_halves(All, void* p, Halves v) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), v);
}
KERF_INLINE void store_halves(First lanes, void* p, Halves v) {
  _mm256_mask_storeu_epi16(p, lanes.mask, v);
}
KERF_INLINE Vector widen_f16(Halves halves) {
  return _mm512_cvtph_ps(halves);
}
KERF_INLINE Vector widen_bf16(Halves halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
KERF_INLINE Halves narrow_f16(Vector v) {
  return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// `v` where covered, else `other`.
KERF_INLINE Vector blend(All, Vector, Vector v) {
  return v;
}
KERF_INLINE Vector blend(First lanes, Vector other, Vector v) {
  return _mm512_mask_mov_ps(other, lanes.mask, v);
}

KERF_INLINE Vector zero() {
  return _mm512_setzero_ps();
}
KERF_INLINE Vector splat(float v) {
  return _mm512_set1_ps(v);
}
KERF_INLINE Vector add(Vector a, Vector b) {
  return _mm512_add_ps(a, b);
}
KERF_INLINE Vector subtract(Vector a, Vector b) {
  return _mm512_sub_ps(a, b);
}
KERF_INLINE Vector multiply(Vector a, Vector b) {
  return _mm512_mul_ps(a, b);
}
KERF_INLINE Vector divide(Vector a, Vector b) {
  return _mm512_div_ps(a, b);
}
/// a·b + c, rounded once; multiply_subtract: a·b − c; subtract_product: c − a·b.
KERF_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
KERF_INLINE Vector multiply_subtract(Vector a, Vector b, Vector c) {
  return _mm512_fmsub_ps(a, b, c);
}
KERF_INLINE Vector subtract_product(Vector a, Vector b, Vector c) {
  return _mm512_fnmadd_ps(a, b, c);
}
/// b where a is NaN or not the smaller one: the order of operands matters.
KERF_INLINE Vector minimum(Vector a, Vector b) {
  return _mm512_min_ps(a, b);
}
KERF_INLINE Vector maximum(Vector a, Vector b) {
  return _mm512_max_ps(a, b);
}
KERF_INLINE Vector round(Vector v) {
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// v · 2^n for whole n, −152 <= n <= 129, rounded once.
KERF_INLINE Vector times_power_of_two(Vector v, Vector n) {
  return _mm512_scalef_ps(v, n);
}
KERF_INLINE float largest_of(Vector v) {
  return _mm512_reduce_max_ps(v);
}

/// Calls step(i, lanes) for vectors of 16 numbers that cover [0, n); only the last may be partial.
template <class Step>
KERF_INLINE void for_lanes(std::size_t n, Step step) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) step(i, All{});
  if (i < n) step(i, first(n - i));
}

// The sum over the lanes adds what is 8 apart, then 4, 2 and 1 apart, however many vectors are summed at
// once.
KERF_INLINE float sum_of(Vector v) {
  const __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}

/// The first two levels for n <= 4 vectors: 128-bit lane i holds the four sums of vector i.
template <int n>
KERF_INLINE Vector sum_to_quarters(const Vector* v) {
  const Vector a = v[0];
  const Vector b = n > 1 ? v[1 % n] : zero();
  const Vector c = n > 2 ? v[2 % n] : zero();
  const Vector d = n > 3 ? v[3 % n] : zero();
  const Vector ab = add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
  const Vector cd = add(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
  return add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
}

/// The last two levels for four results of sum_to_quarters: 128-bit lane i holds the finished sums of vector
/// i of each.
KERF_INLINE Vector sum_quarters(const Vector (&q)[4]) {
  const auto low = [](Vector a, Vector b) {
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  };
  const auto high = [](Vector a, Vector b) {
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
  };
  const Vector by2[2] = {add(low(q[0], q[1]), high(q[0], q[1])), add(low(q[2], q[3]), high(q[2], q[3]))};
  return add(_mm512_shuffle_ps(by2[0], by2[1], 0x88), _mm512_shuffle_ps(by2[0], by2[1], 0xDD));
}

/// Writes the sums over the lanes of n <= 4 vectors.
template <int n>
KERF_INLINE void store_sums(const Vector* sum, float* y) {
  const Vector quarters = sum_to_quarters<n>(sum);
  const Vector by2 = add(quarters, _mm512_permute_ps(quarters, 0x4E));
  const Vector by1 = add(by2, _mm512_permute_ps(by2, 0xB1));
  constexpr __mmask16 kOnePerVector = 0x1111 & ((1U << 4 * n) - 1U);
  _mm512_mask_compressstoreu_ps(y, kOnePerVector, by1);
}

// The first N numbers of v, without a mask: compilers join an extraction and a masked store to VEXTRACTF32X4
// with a mask, which faults on the lanes that it leaves out (Intel SDM vol. 2, exception class E6NF), so that
// a result at the end of a mapping would crash.
template <int N>
KERF_INLINE void store_first(float* c, __m128 v) {
  if constexpr (N == 4) {
    _mm_storeu_ps(c, v);
  } else {
    if constexpr (N > 1) _mm_storel_pi(reinterpret_cast<__m64*>(c), v);
    if constexpr (N == 1) _mm_store_ss(c, v);
    if constexpr (N == 3) _mm_store_ss(c + 2, _mm_movehl_ps(v, v));
  }
}

/// c[t · ldc + r] = the sum over the lanes of sum[r][t], for r < NR, t < NT <= 4.
template <int NT, int NR>
KERF_INLINE void store_tile(const Vector (*sum)[NT], float* c, std::size_t ldc) {
  constexpr int kNow = NR < 4 ? NR : 4;
  Vector quarters[4] = {zero(), zero(), zero(), zero()};
#pragma GCC unroll 4
  for (int r = 0; r < kNow; ++r) quarters[r] = sum_to_quarters<NT>(sum[r]);
  const Vector done = sum_quarters(quarters);
  store_first<kNow>(c, _mm512_castps512_ps128(done));
  if constexpr (NT > 1) store_first<kNow>(c + ldc, _mm512_extractf32x4_ps(done, 1));
  if constexpr (NT > 2) store_first<kNow>(c + 2 * ldc, _mm512_extractf32x4_ps(done, 2));
  if constexpr (NT > 3) store_first<kNow>(c + 3 * ldc, _mm512_extractf32x4_ps(done, 3));
  if constexpr (NR > 4) store_tile<NT, NR - 4>(sum + 4, c + 4, ldc);
}

}  // namespace
}  // namespace kerf::kernels

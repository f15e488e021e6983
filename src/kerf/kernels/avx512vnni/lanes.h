// What the AVX-512 files share. Private to this folder; everything has internal linkage.
//
// Every sum over K in this folder is made of the same 16 partial sums, lane l holding the numbers with
// k mod 16 == l in ascending order, each added with one fused multiply-add, and then reduced over the same
// tree: 8 apart, 4 apart, 2 apart, 1 apart. So a product has the same bits from a tile or from a single row.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define KERF_INLINE inline __attribute__((always_inline))

namespace kerf::kernels {
namespace {

constexpr std::size_t kLanes = 16;

/// The first n < 16 lanes.
KERF_INLINE __mmask16 first(std::size_t n) {
  return static_cast<__mmask16>((1U << n) - 1U);
}

/// Calls step(i, mask) for vectors of 16 numbers that cover [0, n); only the last mask may be partial.
template <class Step>
KERF_INLINE void for_lanes(std::size_t n, Step step) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) step(i, static_cast<__mmask16>(0xFFFF));
  if (i < n) step(i, first(n - i));
}

KERF_INLINE float reduce(__m512 v) {
  const __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}

/// The first two levels of the tree for four vectors: 128-bit lane i holds the four sums of vector i.
KERF_INLINE __m512 reduce_to_quarters(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
  const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
  return _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
}

/// The last two levels for four results of reduce_to_quarters: 128-bit lane i holds the finished sums of
/// vector i of p, q, r, s.
KERF_INLINE __m512 reduce_quarters(__m512 p, __m512 q, __m512 r, __m512 s) {
  const auto pd = [](__m512 v) { return _mm512_castps_pd(v); };
  const auto ps = [](__m512d v) { return _mm512_castpd_ps(v); };
  const __m512 pq = _mm512_add_ps(ps(_mm512_unpacklo_pd(pd(p), pd(q))), ps(_mm512_unpackhi_pd(pd(p), pd(q))));
  const __m512 rs = _mm512_add_ps(ps(_mm512_unpacklo_pd(pd(r), pd(s))), ps(_mm512_unpackhi_pd(pd(r), pd(s))));
  return _mm512_add_ps(_mm512_shuffle_ps(pq, rs, 0x88), _mm512_shuffle_ps(pq, rs, 0xDD));
}

}  // namespace
}  // namespace kerf::kernels

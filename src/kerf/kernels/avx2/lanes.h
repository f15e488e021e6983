// What the AVX2 files share. Private to this folder; everything has internal linkage.
//
// Every sum over K in this folder is made of the same 8 partial sums, lane l holding the numbers with
// k mod 8 == l in ascending order, each added with one fused multiply-add, and then reduced over the same
// tree: 4 apart, 2 apart, 1 apart. So a product has the same bits from a tile or from a single row.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define KERF_INLINE inline __attribute__((always_inline))

namespace kerf::kernels {
namespace {

constexpr std::size_t kLanes = 8;

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
KERF_INLINE __m256 load(All, const float* p) {
  return _mm256_loadu_ps(p);
}
KERF_INLINE __m256 load(First lanes, const float* p) {
  return _mm256_maskload_ps(p, lanes.mask);
}
KERF_INLINE void store(All, float* p, __m256 v) {
  _mm256_storeu_ps(p, v);
}
KERF_INLINE void store(First lanes, float* p, __m256 v) {
  _mm256_maskstore_ps(p, lanes.mask, v);
}
KERF_INLINE __m256 blend(All, __m256, __m256 v) {
  return v;
}
/// `v` where covered, else `other`.
KERF_INLINE __m256 blend(First lanes, __m256 other, __m256 v) {
  return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(lanes.mask));
}

/// Calls step(i, lanes) for vectors of 8 numbers that cover [0, n); only the last may be partial.
template <class Step>
KERF_INLINE void for_lanes(std::size_t n, Step step) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) step(i, All{});
  if (i < n) step(i, first(n - i));
}

KERF_INLINE float reduce(__m256 v) {
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}

/// The sums of four vectors, over the same tree.
KERF_INLINE __m128 reduce(__m256 a, __m256 b, __m256 c, __m256 d) {
  const auto pd = [](__m256 v) { return _mm256_castps_pd(v); };
  const auto ps = [](__m256d v) { return _mm256_castpd_ps(v); };
  const __m256 ac = _mm256_add_ps(_mm256_permute2f128_ps(a, c, 0x20), _mm256_permute2f128_ps(a, c, 0x31));
  const __m256 bd = _mm256_add_ps(_mm256_permute2f128_ps(b, d, 0x20), _mm256_permute2f128_ps(b, d, 0x31));
  const __m256 by2 =
      _mm256_add_ps(ps(_mm256_unpacklo_pd(pd(ac), pd(bd))), ps(_mm256_unpackhi_pd(pd(ac), pd(bd))));
  const __m256 by1 = _mm256_hadd_ps(by2, by2);
  return _mm_movelh_ps(_mm256_castps256_ps128(by1), _mm256_extractf128_ps(by1, 1));
}

}  // namespace
}  // namespace kerf::kernels

// Products of binary32 rows, register-tiled with the lanes along K (lanes.h), so no operand is repacked.
#include "kerf/kernels/avx2/functions.h"
#include "kerf/kernels/avx2/lanes.h"

namespace kerf::kernels {
namespace {

// 12 of 16 registers are sums, 3 hold tokens and 1 a row: 7 loads feed 12 multiply-adds.
constexpr std::size_t kTileTokens = 3;
constexpr std::size_t kTileRows = 4;

// c[t, r] for t < NT, r < NR.
template <int NT, int NR>
void tile(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
          std::size_t n_k) {
  __m256 sum[kTileRows][NT];
#pragma GCC unroll 4
  for (std::size_t r = 0; r < kTileRows; ++r)
#pragma GCC unroll 3
    for (int t = 0; t < NT; ++t) sum[r][t] = _mm256_setzero_ps();

  for_lanes(n_k, [&](std::size_t k, auto lanes) {
    __m256 token[NT];
#pragma GCC unroll 3
    for (int t = 0; t < NT; ++t) token[t] = load(lanes, a + t * lda + k);
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r) {
      const __m256 row = load(lanes, b + r * ldb + k);
#pragma GCC unroll 3
      for (int t = 0; t < NT; ++t) sum[r][t] = _mm256_fmadd_ps(token[t], row, sum[r][t]);
    }
  });

#pragma GCC unroll 3
  for (int t = 0; t < NT; ++t) {
    const __m128 done = reduce(sum[0][t], sum[1][t], sum[2][t], sum[3][t]);
    if constexpr (NR == 4) {
      _mm_storeu_ps(c + t * ldc, done);
    } else {
      _mm_maskstore_ps(c + t * ldc, _mm256_castsi256_si128(first(NR).mask), done);
    }
  }
}

using Tile = void (*)(const float*, std::size_t, const float*, std::size_t, float*, std::size_t, std::size_t);
// kTiles[NT − 1][NR − 1]
constexpr Tile kTiles[kTileTokens][kTileRows] = {{tile<1, 1>, tile<1, 2>, tile<1, 3>, tile<1, 4>},
                                                 {tile<2, 1>, tile<2, 2>, tile<2, 3>, tile<2, 4>},
                                                 {tile<3, 1>, tile<3, 2>, tile<3, 3>, tile<3, 4>}};

// NV vectors of y, the last of which covers `last`.
template <int NV, class Lanes>
KERF_INLINE void weighted_sum_of(const float* weight, const float* x, std::size_t ldx, float* y,
                                 std::size_t n_j, Lanes last) {
  __m256 sum[NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) sum[v] = _mm256_setzero_ps();
  for (std::size_t j = 0; j < n_j; ++j, x += ldx) {
    const __m256 w = _mm256_set1_ps(weight[j]);
#pragma GCC unroll 8
    for (int v = 0; v < NV - 1; ++v) sum[v] = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + v * kLanes), sum[v]);
    sum[NV - 1] = _mm256_fmadd_ps(w, load(last, x + (NV - 1) * kLanes), sum[NV - 1]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < NV - 1; ++v) _mm256_storeu_ps(y + v * kLanes, sum[v]);
  store(last, y + (NV - 1) * kLanes, sum[NV - 1]);
}

}  // namespace

namespace avx2 {

float dot_f32(const float* a, const float* b, std::size_t n) {
  __m256 sum = _mm256_setzero_ps();
  for_lanes(n, [&](std::size_t i, auto lanes) {
    sum = _mm256_fmadd_ps(load(lanes, a + i), load(lanes, b + i), sum);
  });
  return reduce(sum);
}

void gemm_f32(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
              std::size_t n_t, std::size_t n_r, std::size_t n_k) {
  for (std::size_t t = 0; t < n_t; t += kTileTokens) {
    const std::size_t tokens = n_t - t < kTileTokens ? n_t - t : kTileTokens;
    for (std::size_t r = 0; r < n_r; r += kTileRows) {
      const std::size_t rows = n_r - r < kTileRows ? n_r - r : kTileRows;
      kTiles[tokens - 1][rows - 1](a + t * lda, lda, b + r * ldb, ldb, c + t * ldc + r, ldc, n_k);
    }
  }
}

void weighted_sum(const float* weight, const float* x, std::size_t ldx, float* y, std::size_t n_j,
                  std::size_t n) {
  std::size_t i = 0;
  for (; i + 8 * kLanes <= n; i += 8 * kLanes) weighted_sum_of<8>(weight, x + i, ldx, y + i, n_j, All{});
  for (; i + kLanes <= n; i += kLanes) weighted_sum_of<1>(weight, x + i, ldx, y + i, n_j, All{});
  if (i < n) weighted_sum_of<1>(weight, x + i, ldx, y + i, n_j, first(n - i));
}

}  // namespace avx2
}  // namespace kerf::kernels

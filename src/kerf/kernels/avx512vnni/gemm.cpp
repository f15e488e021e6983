// Products of binary32 rows, register-tiled with the lanes along K (lanes.h), so no operand is repacked.
#include "kerf/kernels/avx512vnni/functions.h"
#include "kerf/kernels/avx512vnni/lanes.h"

namespace kerf::kernels {
namespace {

// 24 of 32 registers are sums, 4 hold tokens and 1 a row: 10 loads feed 24 multiply-adds.
constexpr std::size_t kTileTokens = 4;
constexpr std::size_t kTileRows = 6;

// Writes the sums of NR <= 4 rows of a tile to c[t, 0 … NR).
template <int NT, int NR>
KERF_INLINE void store_sums(const __m512 (*sum)[NT], float* c, std::size_t ldc) {
  const __m512 zero = _mm512_setzero_ps();
  __m512 quarters[4] = {zero, zero, zero, zero};
#pragma GCC unroll 4
  for (int r = 0; r < NR; ++r)
    quarters[r] = reduce_to_quarters(sum[r][0], NT > 1 ? sum[r][1 % NT] : zero,
                                     NT > 2 ? sum[r][2 % NT] : zero, NT > 3 ? sum[r][3 % NT] : zero);
  const __m512 done = reduce_quarters(quarters[0], quarters[1], quarters[2], quarters[3]);
  constexpr __mmask8 kRows = (1U << NR) - 1U;
  _mm_mask_storeu_ps(c, kRows, _mm512_castps512_ps128(done));
  if constexpr (NT > 1) _mm_mask_storeu_ps(c + ldc, kRows, _mm512_extractf32x4_ps(done, 1));
  if constexpr (NT > 2) _mm_mask_storeu_ps(c + 2 * ldc, kRows, _mm512_extractf32x4_ps(done, 2));
  if constexpr (NT > 3) _mm_mask_storeu_ps(c + 3 * ldc, kRows, _mm512_extractf32x4_ps(done, 3));
}

// c[t, r] for t < NT, r < NR.
template <int NT, int NR>
void tile(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
          std::size_t n_k) {
  __m512 sum[NR][NT];
#pragma GCC unroll 6
  for (int r = 0; r < NR; ++r)
#pragma GCC unroll 4
    for (int t = 0; t < NT; ++t) sum[r][t] = _mm512_setzero_ps();

  const auto step = [&](auto load) __attribute__((always_inline)) {
    __m512 token[NT];
#pragma GCC unroll 4
    for (int t = 0; t < NT; ++t) token[t] = load(a + t * lda);
#pragma GCC unroll 6
    for (int r = 0; r < NR; ++r) {
      const __m512 row = load(b + r * ldb);
#pragma GCC unroll 4
      for (int t = 0; t < NT; ++t) sum[r][t] = _mm512_fmadd_ps(token[t], row, sum[r][t]);
    }
  };
  std::size_t k = 0;
  for (; k + kLanes <= n_k; k += kLanes, a += kLanes, b += kLanes)
    step([](const float* p) { return _mm512_loadu_ps(p); });
  if (k < n_k) step([mask = first(n_k - k)](const float* p) { return _mm512_maskz_loadu_ps(mask, p); });

  if constexpr (NR > 4) {
    store_sums<NT, 4>(sum, c, ldc);
    store_sums<NT, NR - 4>(sum + 4, c + 4, ldc);
  } else {
    store_sums<NT, NR>(sum, c, ldc);
  }
}

using Tile = void (*)(const float*, std::size_t, const float*, std::size_t, float*, std::size_t, std::size_t);
// kTiles[NT − 1][NR − 1]
constexpr Tile kTiles[kTileTokens][kTileRows] = {
    {tile<1, 1>, tile<1, 2>, tile<1, 3>, tile<1, 4>, tile<1, 5>, tile<1, 6>},
    {tile<2, 1>, tile<2, 2>, tile<2, 3>, tile<2, 4>, tile<2, 5>, tile<2, 6>},
    {tile<3, 1>, tile<3, 2>, tile<3, 3>, tile<3, 4>, tile<3, 5>, tile<3, 6>},
    {tile<4, 1>, tile<4, 2>, tile<4, 3>, tile<4, 4>, tile<4, 5>, tile<4, 6>}};

// y[i …] for NV whole vectors and, if `mask` is not full, a last partial one among them.
template <int NV>
KERF_INLINE void weighted_sum_of(const float* weight, const float* x, std::size_t ldx, float* y,
                                 std::size_t n_j, __mmask16 last) {
  __m512 sum[NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) sum[v] = _mm512_setzero_ps();
  for (std::size_t j = 0; j < n_j; ++j, x += ldx) {
    const __m512 w = _mm512_set1_ps(weight[j]);
#pragma GCC unroll 8
    for (int v = 0; v < NV - 1; ++v) sum[v] = _mm512_fmadd_ps(w, _mm512_loadu_ps(x + v * kLanes), sum[v]);
    sum[NV - 1] = _mm512_fmadd_ps(w, _mm512_maskz_loadu_ps(last, x + (NV - 1) * kLanes), sum[NV - 1]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < NV - 1; ++v) _mm512_storeu_ps(y + v * kLanes, sum[v]);
  _mm512_mask_storeu_ps(y + (NV - 1) * kLanes, last, sum[NV - 1]);
}

}  // namespace

namespace avx512vnni {

float dot_f32(const float* a, const float* b, std::size_t n) {
  __m512 sum = _mm512_setzero_ps();
  for_lanes(n, [&](std::size_t i, __mmask16 mask) {
    sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), sum);
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
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) weighted_sum_of<4>(weight, x + i, ldx, y + i, n_j, 0xFFFF);
  for (; i + kLanes <= n; i += kLanes) weighted_sum_of<1>(weight, x + i, ldx, y + i, n_j, 0xFFFF);
  if (i < n) weighted_sum_of<1>(weight, x + i, ldx, y + i, n_j, first(n - i));
}

}  // namespace avx512vnni
}  // namespace kerf::kernels

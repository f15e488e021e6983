// Loops over floats, written once for every instruction set: table.cpp of an ISA folder includes that
// folder's lanes.h and then this. Everything here has internal linkage, so that each folder gets its own
// code.
//
// Every sum of products is made of kLanes partial sums, lane l holding the terms with k mod kLanes == l in
// ascending order, each added with one fused multiply-add, and then reduced over one tree. So a product has
// the same bits from a tile and from a single row.
#pragma once

#include "kerf/kernels/kernel.h"

namespace kerf::kernels {
namespace {

// --- products ---

float dot_f32(const float* a, const float* b, std::size_t n) {
  Vector sum = zero();
  for_lanes(
      n, [&](std::size_t i, auto lanes) { sum = multiply_add(load(lanes, a + i), load(lanes, b + i), sum); });
  return sum_of(sum);
}

float sum_squares(const float* x, std::size_t n) {
  return dot_f32(x, x, n);
}

// c[t, r] for t < NT, r < NR. The lanes run along K, so no operand is repacked.
template <int NT, int NR>
void gemm_tile(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
               std::size_t n_k) {
  Vector sum[NR][NT];
#pragma GCC unroll 8
  for (int r = 0; r < NR; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < NT; ++t) sum[r][t] = zero();
  for_lanes(
      n_k, [&](std::size_t k, auto lanes) __attribute__((always_inline)) {
        Vector token[NT];
#pragma GCC unroll 8
        for (int t = 0; t < NT; ++t) token[t] = load(lanes, a + t * lda + k);
#pragma GCC unroll 8
        for (int r = 0; r < NR; ++r) {
          const Vector row = load(lanes, b + r * ldb + k);
#pragma GCC unroll 8
          for (int t = 0; t < NT; ++t) sum[r][t] = multiply_add(token[t], row, sum[r][t]);
        }
      });
  store_tile<NT, NR>(sum, c, ldc);
}

// The tile of n_t <= NT tokens and n_r <= NR rows.
template <int NT, int NR>
KERF_INLINE void gemm_tile_of(std::size_t n_t, std::size_t n_r, const float* a, std::size_t lda,
                              const float* b, std::size_t ldb, float* c, std::size_t ldc, std::size_t n_k) {
  if constexpr (NT > 1) {
    if (n_t < NT) return gemm_tile_of<NT - 1, NR>(n_t, n_r, a, lda, b, ldb, c, ldc, n_k);
  }
  if constexpr (NR > 1) {
    if (n_r < NR) return gemm_tile_of<NT, NR - 1>(n_t, n_r, a, lda, b, ldb, c, ldc, n_k);
  }
  gemm_tile<NT, NR>(a, lda, b, ldb, c, ldc, n_k);
}

void gemm_f32(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
              std::size_t n_t, std::size_t n_r, std::size_t n_k) {
  for (std::size_t t = 0; t < n_t; t += kTileTokens)
    for (std::size_t r = 0; r < n_r; r += kTileRows)
      gemm_tile_of<kTileTokens, kTileRows>(n_t - t, n_r - r, a + t * lda, lda, b + r * ldb, ldb,
                                           c + t * ldc + r, ldc, n_k);
}

// NV vectors of y, the last of which covers `last`.
template <int NV, class Lanes>
KERF_INLINE void weighted_sum_of(const float* weight, const float* x, std::size_t ldx, float* y,
                                 std::size_t n_j, Lanes last) {
  constexpr std::size_t kLast = (NV - 1) * kLanes;
  Vector sum[NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) sum[v] = zero();
  for (std::size_t j = 0; j < n_j; ++j, x += ldx) {
    const Vector w = splat(weight[j]);
#pragma GCC unroll 8
    for (int v = 0; v < NV - 1; ++v) sum[v] = multiply_add(w, load(All{}, x + v * kLanes), sum[v]);
    sum[NV - 1] = multiply_add(w, load(last, x + kLast), sum[NV - 1]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < NV - 1; ++v) store(All{}, y + v * kLanes, sum[v]);
  store(last, y + kLast, sum[NV - 1]);
}

void weighted_sum(const float* weight, const float* x, std::size_t ldx, float* y, std::size_t n_j,
                  std::size_t n) {
  constexpr int kTogether = 64 / kLanes;  // a head of 64 numbers stays in registers
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) weighted_sum_of<kTogether>(weight, x + i, ldx, y + i, n_j, All{});
  for (; i + kLanes <= n; i += kLanes) weighted_sum_of<1>(weight, x + i, ldx, y + i, n_j, All{});
  if (i < n) weighted_sum_of<1>(weight, x + i, ldx, y + i, n_j, first(n - i));
}

// --- element by element ---

void axpy_f32(float scale, const float* x, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    store(lanes, y + i, multiply_add(splat(scale), load(lanes, x + i), load(lanes, y + i)));
  });
}

float max_f32(const float* x, std::size_t n) {
  Vector largest = splat(x[0]);
  for_lanes(n, [&](std::size_t i, auto lanes) {
    // maximum() keeps its second operand when the first is NaN, as the definition does.
    largest = maximum(blend(lanes, largest, load(lanes, x + i)), largest);
  });
  return largest_of(largest);
}

void scale_by(const float* x, float scale, const float* weight, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    store(lanes, y + i, multiply(multiply(load(lanes, x + i), splat(scale)), load(lanes, weight + i)));
  });
}

void scale_f32(float scale, float* x, std::size_t n) {
  for_lanes(
      n, [&](std::size_t i, auto lanes) { store(lanes, x + i, multiply(load(lanes, x + i), splat(scale))); });
}

// exp(x) = 2^n · exp(r) with n = round(x / ln 2), |r| <= ln(2)/2. The Taylor polynomial of degree 7 is off by
// less than r^8/8! = 5e-9, far below half a unit in the last place (6e-8).
KERF_INLINE Vector exp_of(Vector x) {
  // Beyond these the result is 0 or infinity anyway; they keep n finite. NaN passes.
  x = minimum(splat(89.0F), maximum(splat(-105.0F), x));
  const Vector n = round(multiply(x, splat(1.44269504F)));
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  Vector r = subtract_product(n, splat(0x1.62E4p-1F), x);
  r = subtract_product(n, splat(0x1.7F7D1Cp-20F), r);
  Vector p = splat(1.0F / 5040);
  p = multiply_add(p, r, splat(1.0F / 720));
  p = multiply_add(p, r, splat(1.0F / 120));
  p = multiply_add(p, r, splat(1.0F / 24));
  p = multiply_add(p, r, splat(1.0F / 6));
  p = multiply_add(p, r, splat(0.5F));
  p = multiply_add(p, r, splat(1.0F));
  p = multiply_add(p, r, splat(1.0F));
  return times_power_of_two(p, n);
}

// x / (1 + exp(−u))
KERF_INLINE Vector gated(Vector x, Vector u) {
  return divide(x, add(splat(1.0F), exp_of(subtract(zero(), u))));
}

float exp_shifted(const float* x, float shift, float* y, std::size_t n) {
  Vector sum = zero();
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const Vector e = exp_of(subtract(load(lanes, x + i), splat(shift)));
    store(lanes, y + i, e);
    sum = add(sum, blend(lanes, zero(), e));
  });
  return sum_of(sum);
}

void silu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const Vector x = load(lanes, gate + i);
    store(lanes, y + i, multiply(gated(x, x), load(lanes, up + i)));
  });
}

void gelu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const Vector x = load(lanes, gate + i);
    const Vector cubic = multiply(multiply(multiply(splat(0.044715F), x), x), x);
    // 1/2·(1 + tanh(u)) = 1 / (1 + exp(−2u))
    const Vector u2 = multiply(splat(2 * 0.7978845608F), add(x, cubic));
    store(lanes, y + i, multiply(gated(x, u2), load(lanes, up + i)));
  });
}

void rotate_halves(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for_lanes(n_pairs, [&](std::size_t i, auto lanes) {
    const Vector a = load(lanes, x + i);
    const Vector b = load(lanes, x + i + n_pairs);
    const Vector c = load(lanes, cos + i);
    const Vector s = load(lanes, sin + i);
    store(lanes, x + i, multiply_subtract(a, c, multiply(b, s)));
    store(lanes, x + i + n_pairs, multiply_add(b, c, multiply(a, s)));
  });
}

void f16_to_f32(const std::uint16_t* x, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) { store(lanes, y + i, widen_f16(load_halves(lanes, x + i))); });
}

void f32_to_f16(const float* x, std::uint16_t* y, std::size_t n) {
  for_lanes(n,
            [&](std::size_t i, auto lanes) { store_halves(lanes, y + i, narrow_f16(load(lanes, x + i))); });
}

}  // namespace
}  // namespace kerf::kernels

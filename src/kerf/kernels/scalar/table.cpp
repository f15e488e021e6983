// The definition of every loop: plain C++, summed in index order.
#include <cmath>
#include <cstddef>

#include "kerf/kernels/kernel.h"
#include "kerf/numbers/float16.h"

namespace kerf::kernels {
namespace {

float dot_f32(const float* a, const float* b, std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void axpy_f32(float scale, const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

void gemm_f32(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
              std::size_t n_t, std::size_t n_r, std::size_t n_k) {
  for (std::size_t t = 0; t < n_t; ++t)
    for (std::size_t r = 0; r < n_r; ++r) c[t * ldc + r] = dot_f32(a + t * lda, b + r * ldb, n_k);
}

void weighted_sum(const float* weight, const float* x, std::size_t ldx, float* y, std::size_t n_j,
                  std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = 0;
  for (std::size_t j = 0; j < n_j; ++j) axpy_f32(weight[j], x + j * ldx, y, n);
}

float sum_squares(const float* x, std::size_t n) {
  return dot_f32(x, x, n);
}

float max_f32(const float* x, std::size_t n) {
  float largest = x[0];
  for (std::size_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

void scale_by(const float* x, float scale, const float* weight, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

void scale_f32(float scale, float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
}

float exp_shifted(const float* x, float shift, float* y, std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - shift);
  return sum;
}

void silu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

// 1/2·(1 + tanh(u)) = 1 / (1 + exp(−2u)): the same function without the cancellation at large negative u.
void gelu_mul(const float* gate, const float* up, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float x = gate[i];
    const float u = 0.7978845608F * (x + 0.044715F * x * x * x);
    y[i] = x / (1.0F + std::exp(-2.0F * u)) * up[i];
  }
}

void rotate_halves(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const float a = x[i];
    const float b = x[i + n_pairs];
    x[i] = a * cos[i] - b * sin[i];
    x[i + n_pairs] = b * cos[i] + a * sin[i];
  }
}

void rotate_neighbours(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i];
    x[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

void f16_to_f32_row(const std::uint16_t* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = f16_to_f32(x[i]);
}

void f32_to_f16_row(const float* x, std::uint16_t* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] = f32_to_f16(x[i]);
}

}  // namespace

const KernelTable scalar_table{.isa = "scalar",
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
                               .f16_to_f32 = f16_to_f32_row,
                               .f32_to_f16 = f32_to_f16_row,
                               .encoded = nullptr,
                               .n_encoded = 0};

}  // namespace kerf::kernels

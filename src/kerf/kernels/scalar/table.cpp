// The definition of every loop: plain C++, summed in index order.
#include <cmath>

#include "kerf/kernels/kernel.h"

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

float exp_shifted(const float* x, float shift, float* y, std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - shift);
  return sum;
}

float max_f32(const float* x, std::size_t n) {
  float largest = x[0];
  for (std::size_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

}  // namespace

const KernelTable scalar_table{.isa = "scalar",
                               .dot_f32 = dot_f32,
                               .axpy_f32 = axpy_f32,
                               .gemm_f32 = gemm_f32,
                               .exp_shifted = exp_shifted,
                               .max_f32 = max_f32};

}  // namespace kerf::kernels

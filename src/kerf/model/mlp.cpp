// Both activations are x·σ(z), the logistic function of some z: SiLU with z = x, and the tanh form of GELU
// (Hendrycks and Gimpel 2016) with z = 2·√(2/π)·(x + 0.044715·x³), since (1 + tanh(z/2))/2 = σ(z).
#include "kerf/model/mlp.h"

#include <algorithm>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

constexpr std::size_t kRun = 512;  // floats that stay in the first-level cache

KERF_CLONES void negate(const float* x, std::size_t n, float* minus_z) noexcept {
  for (std::size_t i = 0; i < n; ++i) minus_z[i] = -x[i];
}

KERF_CLONES void negated_gelu_argument(const float* x, std::size_t n, float* minus_z) noexcept {
  constexpr float kScale = -1.5957691216057308F;  // −2·√(2/π)
  for (std::size_t i = 0; i < n; ++i) minus_z[i] = kScale * (x[i] + 0.044715F * x[i] * x[i] * x[i]);
}

KERF_CLONES void divide(const float* x, const float* exponential, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0F + exponential[i]);
}

KERF_CLONES void multiply(const float* x, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] *= x[i];
}

/// y = f(x) for up to kRun numbers.
void activate_run(Activation f, const float* x, std::size_t n, float* y) noexcept {
  float scratch[kRun];
  f == Activation::silu ? negate(x, n, scratch) : negated_gelu_argument(x, n, scratch);
  kernels::active_table().exp_shifted(scratch, 0.0F, scratch, n);
  divide(x, scratch, n, y);
}

}  // namespace

void gated_activation(Activation f, const float* x, std::size_t n_tokens, std::size_t ffn_width, float* y,
                      ThreadPool& pool) {
  for_rows(pool, n_tokens, ffn_width, [&](std::size_t t) {
    const float* gate = x + t * 2 * ffn_width;
    const float* up = gate + ffn_width;
    float* out = y + t * ffn_width;
    for (std::size_t i = 0; i < ffn_width; i += kRun) {
      const std::size_t n = std::min(kRun, ffn_width - i);
      activate_run(f, gate + i, n, out + i);
      multiply(up + i, n, out + i);
    }
  });
}

void activation(Activation f, const float* x, std::size_t n_tokens, std::size_t ffn_width, float* y,
                ThreadPool& pool) {
  for_rows(pool, n_tokens, ffn_width, [&](std::size_t t) {
    const std::size_t row = t * ffn_width;
    for (std::size_t i = 0; i < ffn_width; i += kRun)
      activate_run(f, x + row + i, std::min(kRun, ffn_width - i), y + row + i);
  });
}

}  // namespace kerf

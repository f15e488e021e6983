#include "kerf/model/mlp.h"

#include <algorithm>
#include <array>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

using GatedLoop = void (*)(const float* gate, const float* up, float* y, std::size_t n);

GatedLoop gated_loop(Activation f) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  return f == Activation::silu ? table.silu_mul : table.gelu_mul;
}

constexpr std::size_t kPart = 256;

/// Both activations are f(x) = x·σ(u(x)) with the logistic σ: u = x for silu, 2·√(2/π)·(x + 0.044715·x³)
/// for the tanh form of gelu. f and its derivative σ + x·σ·(1 − σ)·u′ at up to kPart places.
struct Slopes {
  std::array<float, kPart> value;
  std::array<float, kPart> slope;
};

constexpr float kGelu = 2 * 0.7978845608F;

KERF_CLONES void minus_u(Activation f, const float* x, std::size_t n, float* y) noexcept {
  if (f == Activation::silu)
    for (std::size_t i = 0; i < n; ++i) y[i] = -x[i];
  else
    for (std::size_t i = 0; i < n; ++i) y[i] = -kGelu * (x[i] + 0.044715F * x[i] * x[i] * x[i]);
}

/// In: slopes.value[i] = exp(−u).
KERF_CLONES void fill_slopes(Activation f, const float* x, std::size_t n, Slopes& slopes) noexcept {
  const float linear = f == Activation::silu ? 1.0F : kGelu;
  const float square = f == Activation::silu ? 0.0F : kGelu * 3 * 0.044715F;
  for (std::size_t i = 0; i < n; ++i) {
    const float sigma = 1.0F / (1.0F + slopes.value[i]);
    slopes.value[i] = x[i] * sigma;
    slopes.slope[i] = sigma + x[i] * sigma * (1.0F - sigma) * (linear + square * x[i] * x[i]);
  }
}

Slopes slopes_of(Activation f, const float* x, std::size_t n) noexcept {
  Slopes slopes;
  minus_u(f, x, n, slopes.slope.data());
  kernels::active_table().exp_shifted(slopes.slope.data(), 0.0F, slopes.value.data(), n);
  fill_slopes(f, x, n, slopes);
  return slopes;
}

/// y = f(gate)·up, so d gate = dy·up·f′(gate) and d up = dy·f(gate).
KERF_CLONES void gated_backward(const Slopes& slopes, const float* up, const float* dy, std::size_t n,
                                float* d_gate, float* d_up) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    d_gate[i] = dy[i] * up[i] * slopes.slope[i];
    d_up[i] = dy[i] * slopes.value[i];
  }
}

}  // namespace

void gated_activation(Activation f, const float* x, std::size_t n_tokens, std::size_t ffn_width, float* y,
                      ThreadPool& pool) {
  const GatedLoop loop = gated_loop(f);
  for_rows(pool, n_tokens, ffn_width, [&](std::size_t t) {
    const float* gate = x + t * 2 * ffn_width;
    loop(gate, gate + ffn_width, y + t * ffn_width, ffn_width);
  });
}

void activation(Activation f, const float* x, std::size_t n_tokens, std::size_t ffn_width, float* y,
                ThreadPool& pool) {
  static constexpr auto kOnes = [] {
    std::array<float, 256> ones{};
    ones.fill(1.0F);
    return ones;
  }();
  const GatedLoop loop = gated_loop(f);
  for_rows(pool, n_tokens, ffn_width, [&](std::size_t t) {
    for (std::size_t i = 0; i < ffn_width; i += kOnes.size()) {
      const std::size_t n = std::min(kOnes.size(), ffn_width - i);
      loop(x + t * ffn_width + i, kOnes.data(), y + t * ffn_width + i, n);
    }
  });
}

void gated_activation_backward(Activation f, const float* x, const float* dy, std::size_t n_tokens,
                               std::size_t ffn_width, float* dx, ThreadPool& pool) {
  for_rows(pool, n_tokens, ffn_width, [&](std::size_t t) {
    for (std::size_t i = 0; i < ffn_width; i += kPart) {
      const std::size_t n = std::min(kPart, ffn_width - i), gate = t * 2 * ffn_width + i;
      const Slopes slopes = slopes_of(f, x + gate, n);
      gated_backward(slopes, x + gate + ffn_width, dy + t * ffn_width + i, n, dx + gate,
                     dx + gate + ffn_width);
    }
  });
}

void activation_backward(Activation f, const float* x, const float* dy, std::size_t n_tokens,
                         std::size_t ffn_width, float* dx, ThreadPool& pool) {
  for_rows(pool, n_tokens, ffn_width, [&](std::size_t t) {
    for (std::size_t i = 0; i < ffn_width; i += kPart) {
      const std::size_t n = std::min(kPart, ffn_width - i), at = t * ffn_width + i;
      const Slopes slopes = slopes_of(f, x + at, n);
      for (std::size_t k = 0; k < n; ++k) dx[at + k] = dy[at + k] * slopes.slope[k];
    }
  });
}

}  // namespace kerf

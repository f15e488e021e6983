#include "kerf/model/mlp.h"

#include <algorithm>
#include <array>

#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

using GatedLoop = void (*)(const float* gate, const float* up, float* y, std::size_t n);

GatedLoop gated_loop(Activation f) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  return f == Activation::silu ? table.silu_mul : table.gelu_mul;
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

}  // namespace kerf

#include "kerf/model/rope.h"

#include <cmath>

#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
RopeFrequencies rope_frequencies(const RopeConfig& config, std::size_t width,
                                 std::span<const float> factors) {
  KERF_CHECK(factors.empty() || factors.size() == width / 2);
  RopeFrequencies frequencies{.per_pair = std::vector<float>(width / 2),
                              .attention_factor = config.attention_factor};
  for (std::size_t i = 0; i < width / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(width);
    const double factor = static_cast<double>(config.factor) * (factors.empty() ? 1.0 : factors[i]);
    frequencies.per_pair[i] = static_cast<float>(1.0 / (factor * std::pow(double{config.base}, exponent)));
  }
  return frequencies;
}

void fill_rope_table(const RopeFrequencies& frequencies, std::size_t first, std::size_t n, RopeTable& table) {
  const std::size_t n_pairs = frequencies.per_pair.size();
  table.n_pairs = n_pairs;
  table.cosines.resize(n * n_pairs);
  table.sines.resize(n * n_pairs);
  for (std::size_t t = 0; t < n; ++t)
    for (std::size_t i = 0; i < n_pairs; ++i) {
      // The angle is rounded to binary32 because it was in training.
      const float angle = static_cast<float>(first + t) * frequencies.per_pair[i];
      table.cosines[t * n_pairs + i] = std::cos(angle) * frequencies.attention_factor;
      table.sines[t * n_pairs + i] = std::sin(angle) * frequencies.attention_factor;
    }
}

void rope(const RopeTable& table, RopePairs pairs, float* x, std::size_t n_tokens, std::size_t n_heads,
          std::size_t head_width, std::size_t stride, ThreadPool& pool) {
  const std::size_t n_pairs = table.n_pairs;
  const kernels::KernelTable& loops = kernels::active_table();
  const auto turn = pairs == RopePairs::halves ? loops.rotate_halves : loops.rotate_neighbours;
  for_rows(pool, n_tokens, n_heads * head_width, [&](std::size_t t) {
    for (std::size_t head = 0; head < n_heads; ++head)
      turn(x + t * stride + head * head_width, table.cosines.data() + t * n_pairs,
           table.sines.data() + t * n_pairs, n_pairs);
  });
}

}  // namespace kerf

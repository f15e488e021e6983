#include "kerf/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

/// The pair, as a real number, that makes `turns` turns over the original context.
double pair_of_turns(const RopeConfig& config, double turns, std::size_t width) {
  const double wavelength = static_cast<double>(config.yarn->original_context) / turns;
  return static_cast<double>(width) * std::log(wavelength / (2 * std::numbers::pi)) /
         (2 * std::log(double{config.base}));
}

/// The factor that slows each pair: 1/factor and 1 mixed as YaRN does, [W/2].
std::vector<double> yarn_factors(const RopeConfig& config, std::size_t width) {
  const double last = static_cast<double>(width) - 1;
  const double low = std::max(std::floor(pair_of_turns(config, config.yarn->beta_fast, width)), 0.0);
  const double high = std::min(std::ceil(pair_of_turns(config, config.yarn->beta_slow, width)), last);
  std::vector<double> factors(width / 2);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double slowed = std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
    factors[i] = 1.0 / (slowed / static_cast<double>(config.factor) + (1.0 - slowed));
  }
  return factors;
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeConfig& config, std::size_t width,
                                 std::span<const float> factors) {
  KERF_CHECK(factors.empty() || factors.size() == width / 2);
  RopeFrequencies frequencies{.per_pair = std::vector<float>(width / 2),
                              .attention_factor = config.attention_factor};
  const std::vector<double> slowed_by =
      config.yarn ? yarn_factors(config, width) : std::vector<double>(width / 2, double{config.factor});
  for (std::size_t i = 0; i < width / 2; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(width);
    const double factor = slowed_by[i] * (factors.empty() ? 1.0 : factors[i]);
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

RopeTable turned_back(RopeTable table) {
  for (float& sine : table.sines) sine = -sine;
  return table;
}

}  // namespace kerf

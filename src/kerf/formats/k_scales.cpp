#include "kerf/formats/k_scales.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace kerf::formats {
namespace {

constexpr float kMaxF16 = 65504.0F;
/// Below it a binary16 is a subnormal of five bits or less.
constexpr float kCoarseF16 = 0x1p-19F;

/// Factors are tried eight at a time, side by side, so that no sum crosses lanes and the result is the same
/// on every instruction set.
constexpr std::size_t kLanes = 8;
using Lanes = float[kLanes];

/// Factors as binary16 holds them, what multiples of each leave of the values, and the factors that are best
/// for the same codes.
struct Attempts {
  Lanes factor, error, better_factor;
};

typedef float Eight __attribute__((vector_size(kLanes * sizeof(float))));
typedef std::int32_t EightBits __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

KERF_CLONES void attempt(const float* values, std::size_t n, const Lanes& wanted, float lowest, float highest,
                         Attempts& found) noexcept {
  Eight factor;
  std::memcpy(&factor, wanted, sizeof factor);
  factor = factor < -kMaxF16 ? -kMaxF16 - Eight{} : factor;
  factor = factor > kMaxF16 ? kMaxF16 - Eight{} : factor;
  // To the last place of a binary16: adding this leaves no bits below it, and ties go to even.
  const Eight magnitude = reinterpret_cast<Eight>(reinterpret_cast<EightBits>(factor) & 0x7FFFFFFF);
  const Eight normal = magnitude > 0x1p-14F ? magnitude : 0x1p-14F - Eight{};
  const Eight power = reinterpret_cast<Eight>(reinterpret_cast<EightBits>(normal) & 0x7F800000);
  factor = (factor + power * 0x1.8p13F) - power * 0x1.8p13F;

  constexpr float kToInteger = 0x1.8p23F;
  const Eight inverse = 1.0F / factor;
  const Eight least = lowest - Eight{};
  const Eight most = highest - Eight{};
  Eight error{};
  Eight product{};
  Eight square{};
  for (std::size_t g = 0; g < n; ++g) {
    const Eight value = values[g] - Eight{};
    const Eight t = value * inverse;
    const Eight above = t > least ? t : least;
    const Eight code = ((above < most ? above : most) + kToInteger) - kToInteger;
    const Eight difference = value - factor * code;
    error += difference * difference;
    product += value * code;
    square += code * code;
  }
  const Eight better = product / (square > 0.0F ? square : 1.0F - Eight{});
  std::memcpy(found.factor, &factor, sizeof factor);
  std::memcpy(found.error, &error, sizeof error);
  std::memcpy(found.better_factor, &better, sizeof better);
}

/// Keeps the best of the factors that it is offered.
class Search {
 public:
  Search(std::span<const float> values, int lowest, int highest) noexcept
      : values_(values), lowest_(static_cast<float>(lowest)), highest_(static_cast<float>(highest)) {}

  /// Rounds the values to multiples of each factor, then lets least squares move it for those codes.
  void offer(const Lanes& factors) noexcept {
    Attempts found;
    attempt(values_.data(), values_.size(), factors, lowest_, highest_, found);
    keep_better(found);
    Lanes moved;
    std::copy_n(found.better_factor, kLanes, moved);
    attempt(values_.data(), values_.size(), moved, lowest_, highest_, found);
    keep_better(found);
  }

  [[nodiscard]] bool exact() const noexcept { return error_ == 0.0F; }
  [[nodiscard]] float best() const noexcept { return best_; }

 private:
  void keep_better(const Attempts& found) noexcept {
    for (std::size_t k = 0; k < kLanes; ++k)
      if (found.factor[k] != 0.0F && found.error[k] < error_) {
        error_ = found.error[k];
        best_ = found.factor[k];
      }
  }

  std::span<const float> values_;
  float lowest_;
  float highest_;
  float error_ = HUGE_VALF;
  float best_ = 0.0F;
};

}  // namespace

SuperScale fit_super_scale(std::span<float> values, int lowest, int highest) noexcept {
  // Beyond the reach of any factor nothing is gained, and squares stay far from the end of binary32.
  const float reach = kMaxF16 * static_cast<float>(std::max(-lowest, highest));
  for (float& value : values) value = std::clamp(value, lowest == 0 ? 0.0F : -reach, reach);
  float extreme = 0.0F;
  for (const float value : values)
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;

  // The extreme value gets a code near the end of the range that is farther from 0; which one is decided by
  // how well the others fit. Where the factor would have few bits left, or none, small codes are tried too.
  Search search(values, lowest, highest);
  const int end = lowest < 0 ? lowest : highest;
  const int towards_zero = lowest < 0 ? 1 : -1;
  const bool coarse = std::fabs(extreme) < kCoarseF16 * static_cast<float>(std::abs(end));
  const int n_candidates = coarse ? std::abs(end) : std::min(std::abs(end), 16);
  for (int first = 0; first < n_candidates && extreme != 0.0F && !search.exact(); first += kLanes) {
    Lanes factors;
    for (int k = 0; k < static_cast<int>(kLanes); ++k)
      factors[k] = extreme / static_cast<float>(end + std::min(first + k, n_candidates - 1) * towards_zero);
    search.offer(factors);
  }

  const float factor = search.best();
  SuperScale best{.factor_bits = f32_to_f16(factor), .codes = {}};
  const float inverse = factor == 0.0F ? 0.0F : 1.0F / factor;
  for (std::size_t g = 0; g < values.size(); ++g) {
    const float t = values[g] * inverse;
    const float code = std::rint(std::clamp(t, static_cast<float>(lowest), static_cast<float>(highest)));
    best.codes[g] = static_cast<std::int8_t>(code);
    values[g] = factor * code;
  }
  return best;
}

void store_scales_and_mins(float* scale, float* offset, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < 8; ++g) offset[g] = -offset[g];
  const SuperScale scales = fit_super_scale({scale, 8}, 0, 63);
  const SuperScale mins = fit_super_scale({offset, 8}, 0, 63);
  for (std::size_t g = 0; g < 8; ++g) offset[g] = -offset[g];

  store_le(block, scales.factor_bits);
  store_le(block + 2, mins.factor_bits);
  std::uint8_t* packed = block + 4;
  for (std::size_t g = 0; g < 4; ++g) {
    const int high_scale = scales.codes[g + 4];
    const int high_min = mins.codes[g + 4];
    packed[g] = static_cast<std::uint8_t>(scales.codes[g] | (high_scale >> 4) << 6);
    packed[g + 4] = static_cast<std::uint8_t>(mins.codes[g] | (high_min >> 4) << 6);
    packed[g + 8] = static_cast<std::uint8_t>((high_scale & 15) | (high_min & 15) << 4);
  }
}

}  // namespace kerf::formats

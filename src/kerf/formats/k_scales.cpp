#include "kerf/formats/k_scales.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace kerf::formats {
namespace {

constexpr float kMaxF16 = 65504.0F;
/// Below it a binary16 is a subnormal of five bits or less.
constexpr float kCoarseF16 = 0x1p-19F;

std::uint16_t saturated_f16(float value) noexcept {
  return f32_to_f16(std::clamp(value, -kMaxF16, kMaxF16));
}

constexpr std::size_t kMax = 16;
using Sixteen = float[kMax];

/// Sums in a tree of fixed shape, so that the result is the same on every instruction set.
inline float sum(Sixteen& terms) noexcept {
  for (std::size_t half = kMax / 2; half > 0; half /= 2)
    for (std::size_t g = 0; g < half; ++g) terms[g] += terms[g + half];
  return terms[0];
}

/// What multiples of one factor leave of the values, and the factor that is best for the same codes.
struct Attempt {
  float error;
  float better_factor;
};

KERF_CLONES Attempt attempt(const Sixteen& values, float factor, float lowest, float highest,
                            Sixteen& codes) noexcept {
  const float inverse = 1.0F / factor;
  Sixteen errors;
  Sixteen products;
  Sixteen squares;
  for (std::size_t g = 0; g < kMax; ++g) {
    const float t = values[g] * inverse;
    const float above = t > lowest ? t : lowest;
    const float code = __builtin_rintf(above < highest ? above : highest);
    const float difference = values[g] - factor * code;
    codes[g] = code;
    errors[g] = difference * difference;
    products[g] = values[g] * code;
    squares[g] = code * code;
  }
  const float denominator = sum(squares);
  return {.error = sum(errors), .better_factor = denominator == 0.0F ? 0.0F : sum(products) / denominator};
}

/// Keeps the best of the factors that it is offered.
class Search {
 public:
  Search(std::span<const float> values, int lowest, int highest) noexcept
      : n_(values.size()), lowest_(static_cast<float>(lowest)), highest_(static_cast<float>(highest)) {
    std::copy(values.begin(), values.end(), values_);
  }

  /// Rounds the values to multiples of `factor`, then lets least squares move the factor for those codes.
  void offer(float factor) noexcept {
    const float moved = try_factor(factor);
    if (moved != 0.0F) try_factor(moved);
  }

  [[nodiscard]] bool exact() const noexcept { return error_ == 0.0F; }
  [[nodiscard]] const SuperScale& best() const noexcept { return best_; }

 private:
  /// Returns the factor that is best for the codes that this one gives.
  float try_factor(float wanted) noexcept {
    const std::uint16_t bits = saturated_f16(wanted);
    const float factor = f16_to_f32(bits);
    if (factor == 0.0F) return 0.0F;
    Sixteen codes;
    const Attempt found = attempt(values_, factor, lowest_, highest_, codes);
    if (found.error < error_) {
      error_ = found.error;
      best_.factor_bits = bits;
      for (std::size_t g = 0; g < n_; ++g) best_.codes[g] = static_cast<std::int8_t>(codes[g]);
    }
    return found.better_factor;
  }

  Sixteen values_ = {};
  std::size_t n_;
  float lowest_;
  float highest_;
  float error_ = HUGE_VALF;
  SuperScale best_;
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
  const int n_candidates = coarse ? std::abs(end) : std::min(std::abs(end), 12);
  for (int i = 0; i < n_candidates && extreme != 0.0F && !search.exact(); ++i)
    search.offer(extreme / static_cast<float>(end + i * towards_zero));
  const SuperScale& best = search.best();
  const float factor = f16_to_f32(best.factor_bits);
  for (std::size_t g = 0; g < values.size(); ++g) values[g] = factor * static_cast<float>(best.codes[g]);
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

#include "kerf/formats/k_scales.h"

#include <algorithm>
#include <cmath>

namespace kerf::formats {
namespace {

constexpr float kMaxF16 = 65504.0F;
constexpr float kMinNormalF16 = 0x1p-14F;

std::uint16_t saturated_f16(float value) noexcept {
  return f32_to_f16(std::clamp(value, -kMaxF16, kMaxF16));
}

/// Keeps the best of the factors that it is offered.
class Search {
 public:
  Search(std::span<const float> values, int lowest, int highest) noexcept
      : values_(values), lowest_(static_cast<float>(lowest)), highest_(static_cast<float>(highest)) {}

  /// Rounds the values to multiples of `factor`, then lets least squares move the factor for those codes.
  void offer(float factor) noexcept {
    const double moved = try_factor(factor);
    if (moved != 0.0) try_factor(static_cast<float>(moved));
  }

  [[nodiscard]] bool exact() const noexcept { return error_ == 0.0; }
  [[nodiscard]] const SuperScale& best() const noexcept { return best_; }

 private:
  /// Returns the factor that is best for the codes that this one gives.
  double try_factor(float wanted) noexcept {
    const std::uint16_t bits = saturated_f16(wanted);
    const float factor = f16_to_f32(bits);
    if (factor == 0.0F) return 0.0;
    std::array<float, 16> codes;
    for (std::size_t g = 0; g < values_.size(); ++g)
      codes[g] = std::nearbyint(std::clamp(values_[g] / factor, lowest_, highest_));
    double error = 0.0;
    double products = 0.0;
    double squares = 0.0;
    for (std::size_t g = 0; g < values_.size(); ++g) {
      const double difference = static_cast<double>(values_[g]) - static_cast<double>(factor * codes[g]);
      error += difference * difference;
      products += static_cast<double>(values_[g]) * static_cast<double>(codes[g]);
      squares += static_cast<double>(codes[g] * codes[g]);
    }
    if (error < error_) {
      error_ = error;
      best_.factor_bits = bits;
      for (std::size_t g = 0; g < values_.size(); ++g) best_.codes[g] = static_cast<std::int8_t>(codes[g]);
    }
    return squares == 0.0 ? 0.0 : products / squares;
  }

  std::span<const float> values_;
  float lowest_;
  float highest_;
  double error_ = HUGE_VAL;
  SuperScale best_;
};

}  // namespace

SuperScale fit_super_scale(std::span<float> values, int lowest, int highest) noexcept {
  if (lowest == 0)
    for (float& value : values) value = std::max(value, 0.0F);
  float extreme = 0.0F;
  for (const float value : values)
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;

  // The extreme value gets a code near the end of the range; which one is decided by how well the others fit.
  // Where the factor would be a subnormal binary16, or none at all, small codes are worth a try too.
  Search search(values, lowest, highest);
  const int range = highest - lowest;
  const bool coarse = std::fabs(extreme) < kMinNormalF16 * static_cast<float>(range);
  const int n_candidates = coarse ? highest : std::min(highest, 12);
  for (int i = 0; i < n_candidates && extreme != 0.0F && !search.exact(); ++i) {
    if (lowest < 0) search.offer(extreme / static_cast<float>(lowest + i));
    search.offer(extreme / static_cast<float>(highest - i));
  }
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

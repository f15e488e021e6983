// E8M0: a power of two, 2^(bits − 127), as the scale of a block. No sign, no zero; 0xFF is NaN.
// Source: OCP Microscaling Formats (MX) v1.0, §5.4.1.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace kerf {

/// Exact; 0 is the subnormal 2^-127.
[[nodiscard]] inline float e8m0_to_f32(std::uint8_t bits) noexcept {
  if (bits == 0xFF) return std::numeric_limits<float>::quiet_NaN();
  return std::bit_cast<float>(bits == 0 ? 0x00400000U : static_cast<std::uint32_t>(bits) << 23);
}

/// The power of two that is nearest in the logarithm: log2(value) is rounded to the nearest integer. Powers
/// of two stay; zero, negative and tiny values become 2^-127, values beyond 2^127 become that. value is not
/// NaN.
[[nodiscard]] inline std::uint8_t f32_to_e8m0(float value) noexcept {
  if (!(value > 0x1p-127F)) return 0;
  if (value >= 0x1p127F) return 254;
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent);  // value = fraction · 2^exponent, fraction in [0.5, 1)
  const bool upper = fraction > static_cast<float>(1.0 / std::numbers::sqrt2);
  return static_cast<std::uint8_t>(exponent - 1 + (upper ? 1 : 0) + 127);
}

}  // namespace kerf

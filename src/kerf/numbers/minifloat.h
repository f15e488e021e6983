// Floating-point numbers of 4, 6 and 8 bits: E4M3, E5M2, E2M3, E3M2, E2M1, and E4M3 without a sign. Computed,
// not looked up, so that loops over them vectorise; the bits are the same on every machine.
// Source: Micikevicius et al., «FP8 Formats for Deep Learning» (2022), table 1; OCP Microscaling Formats (MX)
// v1.0, §5.3.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace kerf {

/// Numbers of 1 sign bit, kExponentBits and kMantissaBits, with IEEE's bias 2^(kExponentBits − 1) − 1 and
/// subnormals. Magnitudes up to kMaxMagnitude are finite numbers.
template <int kExponentBits, int kMantissaBits, std::uint32_t kMaxMagnitude>
struct Minifloat {
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr int kShift = 23 - kMantissaBits;  // to the place of a binary32 mantissa
  static constexpr std::uint32_t kSignBit = 1U << (kExponentBits + kMantissaBits);
  static constexpr std::uint32_t kBiasGap = static_cast<std::uint32_t>(127 - kBias) << 23;

  /// Of a finite magnitude; exact.
  [[nodiscard]] static float decode_magnitude(std::uint32_t magnitude) noexcept {
    // Read as binary32 with a bias that is too large; the product puts it right, for subnormals too.
    return std::bit_cast<float>(magnitude << kShift) *
           std::bit_cast<float>(static_cast<std::uint32_t>(254 - kBias) << 23);
  }

  /// Of a finite number; exact.
  [[nodiscard]] static float decode(std::uint32_t bits) noexcept {
    const float magnitude = decode_magnitude(bits & (kSignBit - 1));
    const std::uint32_t sign = (bits & kSignBit) << (31 - kExponentBits - kMantissaBits);
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }

  /// Rounds |value| once, to nearest even, and saturates. value is not NaN.
  [[nodiscard]] static std::uint32_t encode_magnitude(float value) noexcept {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFU;
    constexpr std::uint32_t kMinNormal = static_cast<std::uint32_t>(128 - kBias) << 23;
    if (bits < kMinNormal) {
      // Subnormal result: the last place of this addend is that of a subnormal, so the sum rounds there.
      constexpr std::uint32_t kAddend = static_cast<std::uint32_t>(128 - kBias + kShift) << 23;
      return std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits) + std::bit_cast<float>(kAddend)) -
             kAddend;
    }
    const std::uint32_t rounded = bits + (1U << (kShift - 1)) - 1 + ((bits >> kShift) & 1U);
    const std::uint32_t magnitude = (rounded - kBiasGap) >> kShift;
    return magnitude < kMaxMagnitude ? magnitude : kMaxMagnitude;
  }

  /// Rounds once, to nearest even, and saturates. value is not NaN.
  [[nodiscard]] static std::uint32_t encode(float value) noexcept {
    const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) >> 31;
    return encode_magnitude(value) | (sign != 0 ? kSignBit : 0);
  }
};

using E4M3 = Minifloat<4, 3, 0x7E>;  // no infinity; 0x7F is NaN; largest 448
using E5M2 = Minifloat<5, 2, 0x7B>;  // 0x7C infinity, above it NaN; largest 57344
using E2M3 = Minifloat<2, 3, 0x1F>;  // neither infinity nor NaN; steps of 0.125 up to 2; largest 7.5
using E3M2 = Minifloat<3, 2, 0x1F>;  // neither infinity nor NaN; largest 28
using E2M1 = Minifloat<2, 1, 0x07>;  // neither infinity nor NaN: 0 0.5 1 1.5 2 3 4 6

/// Exact; 0x7F and 0xFF are NaN.
[[nodiscard]] inline float e4m3_to_f32(std::uint8_t bits) noexcept {
  return (bits & 0x7FU) == 0x7FU ? std::numeric_limits<float>::quiet_NaN() : E4M3::decode(bits);
}

/// Rounds once, to nearest even; values beyond ±448, infinities too, become ±448; NaN stays NaN.
[[nodiscard]] inline std::uint8_t f32_to_e4m3(float value) noexcept {
  return static_cast<std::uint8_t>(value != value ? 0x7FU : E4M3::encode(value));
}

/// Exact. The formats of binary16, with 8 mantissa bits cut off.
[[nodiscard]] inline float e5m2_to_f32(std::uint8_t bits) noexcept {
  const std::uint32_t magnitude = bits & 0x7FU;
  if (magnitude < 0x7CU) return E5M2::decode(bits);
  return std::bit_cast<float>((bits & 0x80U) << 24 | 0x7F800000U | (magnitude & 3U) << 21);
}

/// Rounds once, to nearest even; values beyond ±57344, infinities too, become ±57344; NaN stays NaN.
[[nodiscard]] inline std::uint8_t f32_to_e5m2(float value) noexcept {
  return static_cast<std::uint8_t>(value != value ? 0x7EU : E5M2::encode(value));
}

/// Exact; only the low six bits are read.
[[nodiscard]] inline float e2m3_to_f32(std::uint8_t bits) noexcept {
  return E2M3::decode(bits & 0x3FU);
}

/// Rounds once, to nearest even; values beyond ±7.5 become ±7.5. value is not NaN.
[[nodiscard]] inline std::uint8_t f32_to_e2m3(float value) noexcept {
  return static_cast<std::uint8_t>(E2M3::encode(value));
}

/// Exact; only the low six bits are read.
[[nodiscard]] inline float e3m2_to_f32(std::uint8_t bits) noexcept {
  return E3M2::decode(bits & 0x3FU);
}

/// Rounds once, to nearest even; values beyond ±28 become ±28. value is not NaN.
[[nodiscard]] inline std::uint8_t f32_to_e3m2(float value) noexcept {
  return static_cast<std::uint8_t>(E3M2::encode(value));
}

/// Exact; only the low four bits are read.
[[nodiscard]] inline float e2m1_to_f32(std::uint8_t bits) noexcept {
  return E2M1::decode(bits & 0xFU);
}

/// Rounds once, to nearest even; values beyond ±6 become ±6. value is not NaN.
[[nodiscard]] inline std::uint8_t f32_to_e2m1(float value) noexcept {
  return static_cast<std::uint8_t>(E2M1::encode(value));
}

/// E4M3 whose sign bit is always 0, for scales. Exact; 0x7F is NaN; bits above 0x7F are no number.
[[nodiscard]] inline float ue4m3_to_f32(std::uint8_t bits) noexcept {
  return bits >= 0x7FU ? std::numeric_limits<float>::quiet_NaN() : E4M3::decode_magnitude(bits);
}

/// Rounds once, to nearest even; negative values become 0, values beyond 448 become 448. value is not NaN.
[[nodiscard]] inline std::uint8_t f32_to_ue4m3(float value) noexcept {
  return static_cast<std::uint8_t>(value > 0.0F ? E4M3::encode_magnitude(value) : 0);
}

}  // namespace kerf

// binary16 and bfloat16 scalars, in software so that every machine gives the same bits.
// Source: IEEE 754-2019 §3.6 and §4.3.1 (round to nearest, ties to even); bfloat16 is the upper half of
// binary32.
#pragma once

#include <bit>
#include <cstdint>

namespace kerf {

/// Exact.
[[nodiscard]] inline float bf16_to_f32(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Rounds to nearest even; values beyond the largest finite become infinity; NaN stays NaN (quiet).
[[nodiscard]] inline std::uint16_t f32_to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// Exact.
[[nodiscard]] inline float f16_to_f32(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t magnitude = bits & 0x7FFFU;
  // Read as binary32 with the exponent 112 too small; the product puts it right, for subnormals too.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  // Infinity and NaN come out as 2^16 and more, with their mantissa. A mask, no branch: loops vectorise.
  const std::uint32_t special = magnitude >= 0x7C00U ? 0x7F800000U : 0U;
  return std::bit_cast<float>(sign | special | std::bit_cast<std::uint32_t>(scaled));
}

/// Rounds once, to nearest even; |value| >= 65520 becomes infinity; NaN stays NaN (quiet).
[[nodiscard]] inline std::uint16_t f32_to_f16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U)
    return static_cast<std::uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU));
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {
    // Subnormal result: adding 0.5 makes the FPU round at 2^-24, the last place of a subnormal binary16.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

/// The value that storing as binary16 and reading back gives.
[[nodiscard]] inline float round_to_f16(float value) noexcept {
  return f16_to_f32(f32_to_f16(value));
}

}  // namespace kerf

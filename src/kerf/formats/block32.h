// Pieces that the formats with blocks of 32 numbers share (Q4_0 … Q8_0), and binary16 parameters for all.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kerf/base/bits.h"
#include "kerf/formats/bytes16.h"
#include "kerf/numbers/float16.h"

namespace kerf::formats {

/// Stores `value` as binary16 and returns what will be read back: the nearest finite number, so that a scale
/// beyond ±65504 saturates instead of turning a block into infinities.
inline float store_f16(float value, std::uint8_t* target) noexcept {
  constexpr std::uint32_t kLeastNormal = 0x38800000U;  // 2^-14 in binary32
  constexpr std::uint32_t kMostFinite = 0x477FE000U;   // 65504
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude - kLeastNormal <= kMostFinite - kLeastNormal) {
    // Normal in both: the mantissa is rounded in place, which is also what comes back.
    const std::uint32_t rounded = (magnitude + 0xFFFU + ((magnitude >> 13) & 1U)) & ~0x1FFFU;
    const std::uint32_t sign = bits & 0x80000000U;
    store_le(target, static_cast<std::uint16_t>(sign >> 16 | (rounded - 0x38000000U) >> 13));
    return std::bit_cast<float>(sign | rounded);
  }
  constexpr float kMaxFinite = 65504.0F;
  const std::uint16_t half = f32_to_f16(std::clamp(value, -kMaxFinite, kMaxFinite));
  store_le(target, half);
  return f16_to_f32(half);
}

inline float load_f16(const std::uint8_t* source) noexcept {
  return f16_to_f32(load_le<std::uint16_t>(source));
}

inline bool finite_f16(const std::uint8_t* source) noexcept {
  return (load_le<std::uint16_t>(source) & 0x7C00U) != 0x7C00U;
}

inline constexpr const char* kBadScale = "scale is NaN or infinite";
inline constexpr const char* kBadOffset = "offset is NaN or infinite";

/// Byte j holds number j in its low and number j + 16 in its high nibble.
inline void store_nibbles(const std::uint8_t* codes, std::uint8_t* bytes) noexcept {
  for (int j = 0; j < 16; ++j)
    bytes[j] = static_cast<std::uint8_t>((codes[j] & 15U) | static_cast<unsigned>(codes[j + 16]) << 4);
}

inline void load_nibbles(const std::uint8_t* bytes, std::uint8_t* codes) noexcept {
  const Bytes16 packed = load16(bytes);
  store16(codes, packed & 15);
  store16(codes + 16, packed >> 4);
}

/// Byte i of the result is 1 where bit i is set, else 0.
inline std::uint64_t spread_bits(std::uint8_t bits) noexcept {
  // Each byte keeps another bit of the copy; adding 0x7F carries any of them to the top of its byte.
  const std::uint64_t one_each = bits * 0x0101010101010101ULL & 0x8040201008040201ULL;
  return (one_each + 0x7F7F7F7F7F7F7F7FULL) >> 7 & 0x0101010101010101ULL;
}

/// Bit 4 of number j is bit j of a little-endian 32-bit word.
inline void store_fifth_bits(const std::uint8_t* codes, std::uint8_t* word) noexcept {
  std::uint32_t bits = 0;
  for (unsigned j = 0; j < 32; ++j) bits |= static_cast<std::uint32_t>(codes[j] >> 4 & 1U) << j;
  store_le(word, bits);
}

inline void add_fifth_bits(const std::uint8_t* word, std::uint8_t* codes) noexcept {
  for (int i = 0; i < 4; ++i)
    store_le(codes + 8 * i, load_le<std::uint64_t>(codes + 8 * i) | spread_bits(word[i]) << 4);
}

}  // namespace kerf::formats

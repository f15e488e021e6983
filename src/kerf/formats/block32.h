// Pieces that the formats with blocks of 32 numbers share (Q4_0 … Q8_0), and binary16 parameters for all.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kerf/base/bits.h"
#include "kerf/numbers/float16.h"

namespace kerf::formats {

/// Stores `value` as binary16 and returns what will be read back: the nearest finite number, so that a scale
/// beyond ±65504 saturates instead of turning a block into infinities.
inline float store_f16(float value, std::uint8_t* target) noexcept {
  constexpr float kMaxFinite = 65504.0F;
  const std::uint16_t bits = f32_to_f16(std::clamp(value, -kMaxFinite, kMaxFinite));
  store_le(target, bits);
  return f16_to_f32(bits);
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
  for (int j = 0; j < 16; ++j) {
    codes[j] = bytes[j] & 15U;
    codes[j + 16] = bytes[j] >> 4;
  }
}

/// Bit 4 of number j is bit j of a little-endian 32-bit word.
inline void store_fifth_bits(const std::uint8_t* codes, std::uint8_t* word) noexcept {
  std::uint32_t bits = 0;
  for (unsigned j = 0; j < 32; ++j) bits |= static_cast<std::uint32_t>(codes[j] >> 4 & 1U) << j;
  store_le(word, bits);
}

inline void add_fifth_bits(const std::uint8_t* word, std::uint8_t* codes) noexcept {
  const auto bits = load_le<std::uint32_t>(word);
  for (unsigned j = 0; j < 32; ++j) codes[j] |= static_cast<std::uint8_t>((bits >> j & 1U) << 4);
}

}  // namespace kerf::formats

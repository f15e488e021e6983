// What the K formats share: blocks of 256 numbers whose groups have small integer scales (and minima), all
// multiplied by one binary16 per block.
// Source: GGUF tensor types 10 … 14 (ggml-quants, I. Kawrakow 2023).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kerf/formats/block32.h"

namespace kerf::formats {

inline constexpr std::size_t kSuperBlock = 256;

/// first, first + 1, … first + N − 1
template <std::size_t N>
constexpr std::array<float, N> consecutive_levels(int first) {
  std::array<float, N> levels{};
  for (std::size_t i = 0; i < N; ++i) levels[i] = static_cast<float>(first + static_cast<int>(i));
  return levels;
}

/// value[g] ≈ factor · code[g], where factor is a binary16.
struct SuperScale {
  std::uint16_t factor_bits = 0;
  std::array<std::int8_t, 16> codes{};
};

/// Chooses factor and codes in [lowest, highest] (lowest <= 0 < highest) such that Σ (value − factor·code)²
/// is small, and replaces each of at most 16 finite values by factor · code, exact in binary32. With
/// lowest = 0 the factor is not negative and negative values become 0. Where the values are too large for
/// binary16 they saturate; where they are too small they become 0.
SuperScale fit_super_scale(std::span<float> values, int lowest, int highest) noexcept;

/// The first 16 bytes of Q4_K and Q5_K: f16 d, f16 dmin, then 12 bytes that hold eight pairs of a 6-bit scale
/// and minimum. Counting those 12 from 0, with g < 4:
///   byte g     bits 0-5 scale[g]                 bits 6-7 bits 4-5 of scale[g + 4]
///   byte g+4   bits 0-5 min[g]                   bits 6-7 bits 4-5 of min[g + 4]
///   byte g+8   bits 0-3 low bits of scale[g + 4] bits 4-7 low bits of min[g + 4]
/// Reads them as scale[8] = d·scale and offset[8] = −dmin·min, which are exact.
inline void load_scales_and_mins(const std::uint8_t* block, float* scale, float* offset) noexcept {
  const float d = load_f16(block);
  const float minus_dmin = -load_f16(block + 2);
  const std::uint8_t* packed = block + 4;
  for (std::size_t g = 0; g < 4; ++g) {
    scale[g] = d * static_cast<float>(packed[g] & 63);
    offset[g] = minus_dmin * static_cast<float>(packed[g + 4] & 63);
    scale[g + 4] = d * static_cast<float>((packed[g + 8] & 15) | (packed[g] >> 6) << 4);
    offset[g + 4] = minus_dmin * static_cast<float>((packed[g + 8] >> 4) | (packed[g + 4] >> 6) << 4);
  }
}

/// Fits and writes those 16 bytes; scale[8] and offset[8] become what load_scales_and_mins() reads.
void store_scales_and_mins(float* scale, float* offset, std::uint8_t* block) noexcept;

/// For Format::defect: f16 d and, after it, f16 dmin.
[[nodiscard]] inline const char* factors_defect(const std::uint8_t* factors) noexcept {
  if (!finite_f16(factors)) return kBadScale;
  return finite_f16(factors + 2) ? nullptr : kBadOffset;
}

}  // namespace kerf::formats

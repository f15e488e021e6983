// The codebooks of the IQ formats: lists of short vectors that a code picks from, and the sign patterns that
// go with them. Vectors near the points of the lattices E8 (8 numbers) and D4 (4 numbers) that occur most.
// Source: the GGUF specification's tables for types 16 … 19, 21, 22, 29 (ggml-common.h, I. Kawrakow 2024);
// the values and their order are part of the formats: do not renumber.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kerf/formats/block32.h"
#include "kerf/formats/bytes16.h"

namespace kerf::formats {

template <std::size_t kVectors, std::size_t kWidth>
using IqGrid = std::array<std::array<std::int8_t, kWidth>, kVectors>;

extern const IqGrid<256, 8> kIq2XxsGrid;
extern const IqGrid<512, 8> kIq2XsGrid;
extern const IqGrid<1024, 8> kIq2SGrid;
extern const IqGrid<2048, 8> kIq1Grid;
extern const IqGrid<256, 4> kIq3XxsGrid;
extern const IqGrid<512, 4> kIq3SGrid;

/// What IQ1_S and IQ1_M add to or subtract from each number of a vector.
inline constexpr float kIq1Shift = 0.125F;

/// Bit i set: number i of eight is negative. Only even patterns are stored, as seven bits; the eighth makes
/// the count even.
[[nodiscard]] inline unsigned even_signs(unsigned seven_bits) noexcept {
  return seven_bits | (static_cast<unsigned>(std::popcount(seven_bits)) & 1U) << 7;
}

/// Eight numbers as the bytes of a word: one vector of 8, or two of 4.
[[nodiscard]] inline std::uint64_t word_of(const std::array<std::int8_t, 8>& vector) noexcept {
  return std::bit_cast<std::uint64_t>(vector);
}
[[nodiscard]] inline std::uint64_t word_of(const std::array<std::int8_t, 4>& first,
                                           const std::array<std::int8_t, 4>& second) noexcept {
  return std::bit_cast<std::uint32_t>(first) |
         static_cast<std::uint64_t>(std::bit_cast<std::uint32_t>(second)) << 32;
}

/// dst[i] = ±scale · magnitude[i] for the eight bytes of a word, none of them 0; minus where bit i of `signs`
/// is set.
inline void write_signed(std::uint64_t magnitudes, unsigned signs, float scale,
                         float* __restrict dst) noexcept {
  // Two's complement in every byte that has its sign bit: invert, add 1; without zeros nothing is carried.
  const std::uint64_t ones = spread_bits(static_cast<std::uint8_t>(signs));
  const std::uint64_t word = (magnitudes ^ ones * 0xFF) + ones;
  const auto values = std::bit_cast<std::array<std::int8_t, 8>>(word);
  KERF_KEEP_LOOP
  for (std::size_t i = 0; i < 8; ++i) dst[i] = scale * static_cast<float>(values[i]);
}

/// dst[i] = scale · (vector[i] + shift)
inline void write_shifted(const std::array<std::int8_t, 8>& vector, float shift, float scale,
                          float* __restrict dst) noexcept {
  KERF_KEEP_LOOP
  for (std::size_t i = 0; i < 8; ++i) dst[i] = scale * (static_cast<float>(vector[i]) + shift);
}

}  // namespace kerf::formats

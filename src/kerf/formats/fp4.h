// What MXFP4 and NVFP4 share: numbers in E2M1, whose two zeros are one level of the grid.
// Source: OCP Microscaling Formats (MX) v1.0, §5.3.3.
#pragma once

#include <cstdint>

namespace kerf::formats {

/// Twice the numbers, by their bits. The negative zero of E2M1 counts as 0 here, as in other readers.
inline constexpr std::int8_t kE2m1Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

inline constexpr float kE2m1Levels[15] = {-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6};

/// Between E2M1 bits and indices of kE2m1Levels: codes 7 … 14 are the bits 0 … 7, codes 6 … 0 are 9 … 15.
[[nodiscard]] constexpr std::uint8_t e2m1_bits_of_code(std::uint8_t code) noexcept {
  return static_cast<std::uint8_t>(code >= 7 ? code - 7 : 15 - code);
}
[[nodiscard]] constexpr std::uint8_t code_of_e2m1_bits(std::uint8_t bits) noexcept {
  return static_cast<std::uint8_t>(bits < 8 ? 7 + bits : 15 - bits);
}

}  // namespace kerf::formats

// The sixteen levels of IQ4_NL and IQ4_XS: finer near zero, as weights are.
// Source: GGUF tensor types 20 and 23 (I. Kawrakow 2024); the values are part of the format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kerf::formats {

inline constexpr std::int8_t kIq4Table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                              1,    13,   25,  38,  53,  69,  89,  113};

inline constexpr auto kIq4Levels = [] {
  std::array<float, 16> levels{};
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = kIq4Table[i];
  return levels;
}();

}  // namespace kerf::formats

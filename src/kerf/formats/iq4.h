// The sixteen levels of IQ4_NL and IQ4_XS: finer near zero, as weights are.
// Source: GGUF tensor types 20 and 23 (I. Kawrakow 2024); the values are part of the format.
#pragma once

namespace kerf::formats {

inline constexpr float kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                         1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace kerf::formats

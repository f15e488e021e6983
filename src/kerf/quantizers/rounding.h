// How a number between two neighbours of a grid becomes one of them. The rule is part of a format's
// definition: results of two programs are only comparable if it is the same.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "kerf/base/rng.h"

namespace kerf {

enum class Rounding : std::uint8_t {
  nearest_even,  ///< ties to the even number: IEEE 754, torch, numpy
  nearest_away,  ///< ties away from zero: C's round(), Q8_0 of ggml
  nearest_up,    ///< ties upwards, floor(v + ½): Q4_0 of ggml in code space
  stochastic,    ///< up with a probability equal to the fraction: right on average
  floor,         ///< always down
};

/// «nearest-even» …; the same names are read by find_rounding().
[[nodiscard]] std::string_view name_of(Rounding rounding) noexcept;
[[nodiscard]] std::optional<Rounding> find_rounding(std::string_view name) noexcept;

/// Uniform in [0, 1): number `index` of Rng(seed), without drawing those before it. So the outcome for a
/// number depends on its place only, not on who rounds it or when.
[[nodiscard]] constexpr double uniform_at(std::uint64_t seed, std::uint64_t index) noexcept {
  return static_cast<double>(mix64(mix64(seed) ^ mix64(index)) >> 11) * 0x1.0p-53;
}

/// v as a whole number. u in [0, 1) is the luck of stochastic rounding and unused otherwise.
[[nodiscard]] inline double round_by(Rounding rounding, double v, double u = 0.0) noexcept {
  switch (rounding) {
    case Rounding::nearest_even:
      return std::nearbyint(v);
    case Rounding::nearest_away:
      return std::round(v);
    case Rounding::nearest_up:
      // floor(v + ½) would lift 0.49999999999999994 to 1.
      return std::floor(v) + (v - std::floor(v) >= 0.5 ? 1.0 : 0.0);
    case Rounding::stochastic:
      return std::floor(v) + (u < v - std::floor(v) ? 1.0 : 0.0);
    case Rounding::floor:
      return std::floor(v);
  }
  return v;
}

}  // namespace kerf

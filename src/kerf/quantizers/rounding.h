// How a number between two neighbours of a grid becomes one of them. The rule is part of a format's
// definition: results of two programs are only comparable if it is the same.
#pragma once

#include <cmath>
#include <cstdint>

#include "kerf/base/rng.h"
#include "kerf/numbers/rounding_mode.h"

namespace kerf {

/// Uniform in [0, 1): number `index` of Rng(seed), without drawing those before it. So the outcome for a
/// number depends on its place only, not on who rounds it or when.
[[nodiscard]] constexpr double uniform_at(std::uint64_t seed, std::uint64_t index) noexcept {
  return static_cast<double>(mix64(mix64(seed) ^ mix64(index)) >> 11) * 0x1.0p-53;
}

/// v as a whole number. u in [0, 1) is the luck of stochastic rounding and unused otherwise.
[[nodiscard]] inline double round_by(RoundingMode rounding, double v, double u = 0.0) noexcept {
  switch (rounding) {
    case RoundingMode::nearest_even:
      return std::nearbyint(v);
    case RoundingMode::nearest_away:
      return std::round(v);
    case RoundingMode::nearest_up:
      // floor(v + ½) would lift 0.49999999999999994 to 1.
      return std::floor(v) + (v - std::floor(v) >= 0.5 ? 1.0 : 0.0);
    case RoundingMode::stochastic:
      return std::floor(v) + (u < v - std::floor(v) ? 1.0 : 0.0);
    case RoundingMode::toward_zero:
      return std::trunc(v);
    case RoundingMode::floor:
      return std::floor(v);
    case RoundingMode::ceil:
      return std::ceil(v);
  }
  return v;
}

}  // namespace kerf

// Eight groups side by side: number i of group k is x[i][k], so that each step of a search works on eight
// groups at once, sums run in one fixed order, and results are the same bits on every instruction set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kerf/quantizers/lanes.h"
#include "kerf/quantizers/levels.h"

namespace kerf {

/// Between these magnitudes sums of products of three numbers or levels stay well within binary32.
inline constexpr float kSmallestSafe = 0x1p-14F;
inline constexpr float kLargestSafe = 0x1p20F;

struct Panel {
  std::size_t n = 0;             ///< numbers per group
  bool weighted = false;         ///< otherwise every weight is 1 and w is not filled
  bool squares_are_safe = true;  ///< sums of products of three numbers or levels see kSmallestSafe
  Lanes smallest, largest;       ///< of the numbers of each group
  Lanes sum;                     ///< of the numbers of each group
  Lanes centre;                  ///< was subtracted from the numbers, so offsets are relative to it
  alignas(64) float x[Grid::kMaxBlock][kLanes];
  alignas(64) float w[Grid::kMaxBlock][kLanes];
};

/// Fills the lanes from eight groups of n consecutive numbers each; n is a multiple of 8.
void load_numbers(Panel& panel, const float* x, std::size_t n) noexcept;

/// Fills the weights in the same way and tells the largest of each group.
void load_weights(Panel& panel, const float* w, Lanes& largest) noexcept;

/// Replaces each weight w by w · factor + term.
void change_weights(Panel& panel, const Lanes& factor, const Lanes& term) noexcept;

/// Multiplies the numbers of each group.
void multiply(Panel& panel, const Lanes& factor) noexcept;

/// Subtracts the middle of the range from groups that lie far from zero. Without it the sums of least squares
/// would cancel there.
void centre_far_groups(Panel& panel) noexcept;

/// Per group: Σw, Σw·x.
struct Moments {
  Lanes w, x;
};
void moments(const Panel& panel, Moments& sums) noexcept;

/// What least squares needs to know of the levels l that a grid assigns: Σw·l, Σw·l², Σw·x·l.
struct LevelSums {
  Lanes l, ll, xl;
};

/// Per group: Σ w (x − scale·l − offset)² with l the nearest level; and the sums of these levels.
void grid_errors(const Panel& panel, const Levels& levels, const Lanes& scale, const Lanes& offset,
                 Lanes& error, LevelSums& sums) noexcept;

/// codes[i] of the level nearest to (x[i] − offset) / scale, for groups of n in their usual order.
void choose_codes(const Levels& levels, const float* x, std::size_t n, std::size_t n_groups,
                  const float* scale, const float* offset, std::uint8_t* codes) noexcept;

/// 1 / scale, or 0 for a scale of 0; finite also for subnormal scales.
[[nodiscard]] inline float safe_inverse(float scale) noexcept {
  if (scale == 0.0F) return 0.0F;
  constexpr float kMax = std::numeric_limits<float>::max();
  return std::clamp(1.0F / scale, -kMax, kMax);
}

}  // namespace kerf

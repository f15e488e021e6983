// Eight groups side by side: number i of group k is x[i][k], so that each step of a search works on eight
// groups at once, sums run in one fixed order, and results are the same bits on every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/quantizers/lanes.h"
#include "kerf/quantizers/levels.h"

namespace kerf {

struct Panel {
  std::size_t n = 0;      ///< numbers per group
  bool weighted = false;  ///< otherwise every weight is 1 and w is not filled
  Lanes centre = {};      ///< was subtracted from the numbers, so offsets are relative to it
  alignas(64) float x[Grid::kMaxBlock][kLanes];
  alignas(64) float w[Grid::kMaxBlock][kLanes];
};

/// How numbers and weights enter a panel, per group: x · x_factor and w · w_factor + w_term.
struct Entry {
  Lanes x_factor, w_factor, w_term;
};

/// Fills lanes 0 … n_groups − 1 from n_groups × n consecutive numbers and weights (nullptr: none), and the
/// other lanes with zeros.
void load_panel(Panel& panel, const float* x, const float* w, std::size_t n, std::size_t n_groups,
                const Entry& entry) noexcept;

/// Per group: smallest and largest number.
void extremes(const Panel& panel, Lanes& smallest, Lanes& largest) noexcept;

/// Subtracts the middle of the range from groups that lie far from zero. Without it the sums of least squares
/// would cancel there.
void centre_far_groups(Panel& panel) noexcept;

/// Per group: Σw, Σw·x.
struct Moments {
  Lanes w, x;
};
void moments(const Panel& panel, Moments& sums) noexcept;

/// What least squares needs to know of the levels l that a candidate grid assigns: Σw·l, Σw·l², Σw·x·l.
struct LevelSums {
  Lanes l, ll, xl;
};

/// A candidate grid per group: l = nearest level of x · inverse + shift.
struct Candidate {
  Lanes inverse, shift;
};

/// sums[c] of each of n candidates. Without shifts (`shifted` false) sums.l is left alone.
void score(const Panel& panel, const Levels& levels, const Candidate* candidates, std::size_t n, bool shifted,
           LevelSums* sums) noexcept;

/// Per group: Σ w (x − scale·l − offset)² with l the nearest level; and the sums of these levels.
void grid_errors(const Panel& panel, const Levels& levels, const Lanes& scale, const Lanes& offset,
                 Lanes& error, LevelSums& sums) noexcept;

/// codes[i] of the level nearest to (x[i] − offset) / scale, for one group in its usual order.
void choose_codes(const Levels& levels, const float* x, std::size_t n, float scale, float offset,
                  std::uint8_t* codes) noexcept;

/// 1 / scale, or 0 for a scale of 0; finite also for subnormal scales.
[[nodiscard]] float safe_inverse(float scale) noexcept;

}  // namespace kerf

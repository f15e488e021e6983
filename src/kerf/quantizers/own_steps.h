// Scales and offsets under which the numbers of a group lie on levels: what own_grid and own_row try.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include "kerf/formats/format.h"

namespace kerf::own {

/// Numbers were rounded to binary32 once or twice on their way: what they may be off by, as a part of the
/// largest.
inline constexpr double kRounding = 0x1p-21;

inline double whole(double value) noexcept {
  constexpr double kMagic = 0x1.8p52;  // no bits are left for a fraction
  return (value + kMagic) - kMagic;
}

/// Scales have at most 18 bits, quotients of rounded numbers some noise behind them.
inline float without_noise(double scale) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(scale));
  return std::bit_cast<float>((bits + 0x10U) & ~0x1FU);
}

/// To eleven bits; subnormal numbers have fewer, and are not looked for.
inline double as_binary16(double value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0x1000U) & ~0x1FFFU);
}

/// The numbers of one group.
struct Group {
  const float* x;
  std::size_t n;
  double least, most;
  double tolerance;

  Group(const float* numbers, std::size_t n_numbers) noexcept : x(numbers), n(n_numbers) {
    const auto [low, high] = std::minmax_element(x, x + n);
    least = *low;
    most = *high;
    tolerance = kRounding * std::max(-least, most);
  }

  /// The first number that is none of the two; 0 if there is no such.
  [[nodiscard]] double first_beside(double a, double b) const noexcept {
    for (std::size_t i = 0; i < n; ++i)
      if (x[i] != 0.0F && x[i] != a && x[i] != b) return x[i];
    return 0.0;
  }
};

/// Whether all numbers, less `base`, may be multiples of a step of which the largest has at most `most`:
/// Euclid's algorithm, which ends early where they are not. Products with a step are exact; where `base` is
/// not 0 numbers may be rounded sums, and errors grow on the way.
inline bool may_have_steps(const float* x, std::size_t n, double base, double most) noexcept {
  double largest = 0.0;
  double farthest = 0.0;
  for (std::size_t i = 0; i < 8; ++i) {
    largest = std::max(largest, std::fabs(x[i] - base));
    farthest = std::max<double>(farthest, std::fabs(x[i]));
  }
  const double least = largest / most * (1 - kRounding);
  const double nothing = base == 0.0 ? 0.0 : 256 * kRounding * farthest;
  if (nothing > 0.25 * least) return true;
  double step = largest;
  for (std::size_t i = 0; i < n; ++i)
    for (double rest = std::fabs(x[i] - base); rest > nothing;) {
      if (rest < least) return false;
      const double other = std::fabs(step - rest * whole(step / rest));
      step = rest;
      rest = other;
    }
  return true;
}

inline double nearest_level(const Grid& grid, double t) noexcept {
  const auto levels = grid.levels;
  if (grid.uniform) return whole(std::clamp<double>(t, levels.front(), levels.back()));
  const auto above = std::lower_bound(levels.begin(), levels.end(), t);
  if (above == levels.begin()) return *above;
  if (above == levels.end()) return above[-1];
  return t - above[-1] < *above - t ? above[-1] : *above;
}

inline bool lies_on(const Grid& grid, const Group& group, double scale, double offset) noexcept {
  if (scale == 0.0) return group.least == group.most && group.least == offset;
  const double inverse = 1.0 / scale;
  for (std::size_t i = 0; i < group.n; ++i) {
    const double above = group.x[i] - offset;
    if (std::fabs(above - scale * nearest_level(grid, above * inverse)) > group.tolerance) return false;
  }
  return true;
}

/// Calls offer(scale) for the scales under which all numbers lie on levels, from the finest on or from the
/// coarsest, until it returns true. Without offsets.
template <class Offer>
bool each_scale(const Grid& grid, const Group& group, bool coarsest_first, const Offer& offer) noexcept {
  const double extreme = group.most >= -group.least ? group.most : group.least;
  if (extreme == 0.0) return offer(0.0);
  // Where levels are integers a second number leaves few candidates, at the cost of a product each.
  const bool integers =
      std::all_of(grid.levels.begin(), grid.levels.end(), [](float l) { return l == whole(l); });
  const double ratio = integers ? group.first_beside(extreme, -extreme) / extreme : 0.0;
  const auto accept = [&](float level) {
    if (level == 0.0F || std::fabs(ratio * level - whole(ratio * level)) > 1e-3) return false;
    const double scale = extreme / level;
    if (scale < 0.0 && grid.scale_sign == Grid::Sign::non_negative) return false;
    return lies_on(grid, group, scale, 0.0) && offer(scale);
  };
  // From both ends by magnitude; a positive level before its negative.
  const auto& levels = grid.levels;
  if (!coarsest_first) {
    for (std::size_t low = 0, high = levels.size(); low < high;)
      if (accept(-levels[low] > levels[high - 1] ? levels[low++] : levels[--high])) return true;
    return false;
  }
  std::size_t high = std::lower_bound(levels.begin(), levels.end(), 0.0F) - levels.begin();
  for (std::size_t low = high; low > 0 || high < levels.size();) {
    const bool upward = low == 0 || (high < levels.size() && levels[high] <= -levels[low - 1]);
    if (accept(upward ? levels[high++] : levels[--low])) return true;
  }
  return false;
}

/// The same where there are offsets: offer(scale, steps) with the steps from the least number to the most.
template <class Offer>
bool each_step(const Grid& grid, const Group& group, bool coarsest_first, const Offer& offer) noexcept {
  double least = group.least;
  double range = group.most - least;
  if (range == 0.0 && grid.zero_point) {
    least = std::min(group.least, 0.0);
    range = std::max(group.most, 0.0) - least;
  }
  if (range == 0.0) return offer(0.0, 0.0);
  const double ratio = (group.first_beside(group.least, group.most) - least) / range;
  // A lone number is any number of steps away from zero, as far as zero points go.
  const int most_steps = group.least == group.most ? 383 : static_cast<int>(grid.levels.size()) - 1;
  for (int i = 0; i < most_steps; ++i) {
    const double steps = coarsest_first ? i + 1 : most_steps - i;
    double scale = range / steps;
    // A number that is not there has the ratio −least / range.
    if (std::fabs(ratio * steps - whole(ratio * steps)) * scale > 2 * group.tolerance &&
        ratio != -least / range)
      continue;
    if (grid.zero_point) {
      // Far from zero its distance tells the scale more exactly than the range does.
      const double farthest = group.most >= -group.least ? group.most : group.least;
      const double from_zero = whole(farthest / scale);
      if (from_zero != 0.0 && std::fabs(from_zero * scale - farthest) < 0.1 * scale)
        scale = farthest / from_zero;
      if (std::fabs(least - scale * whole(least / scale)) > group.tolerance) continue;
    }
    if (lies_on(grid, group, scale, least - scale * grid.levels[0]) && offer(scale, steps)) return true;
  }
  return false;
}

}  // namespace kerf::own

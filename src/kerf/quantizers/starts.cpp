#include "kerf/quantizers/starts.h"

#include <algorithm>

#include "kerf/base/check.h"

namespace kerf {

Starts::Starts(const Grid& grid, const Levels& levels, int effort, bool weighted) noexcept {
  if (grid.has_offset)
    plan_ranges(grid, effort, weighted);
  else
    plan_extremes(grid, levels, effort);
  KERF_CHECK(n_ > 0);
  constexpr float kHalf = 0.49F;
  const auto [least_high, most_high] = std::minmax_element(high_, high_ + n_);
  if (grid.has_offset)
    stay_inside_ = grid.offset_sign != Grid::Sign::non_negative && *most_high < kHalf &&
                   *std::max_element(low_, low_ + n_) < kHalf;
  else
    stay_above_ = *most_high < kHalf - levels.lo() && *least_high > levels.lo() - kHalf;
}

void Starts::add(float low, float high) noexcept {
  KERF_CHECK(n_ < kMax);
  low_[n_] = low;
  high_[n_] = high;
  ++n_;
}

void Starts::add_ranges(float least, float most, float step) noexcept {
  for (float low = least; low < most; low += step)
    for (float high = least; high < most; high += step) add(low, high);
}

// Without importance the extremes are never far from the ends, and the programs of others that round by them
// are so fast that two starts are what the time allows. A range that ends one level early finds numbers again
// that lie on a grid of half as many levels.
void Starts::plan_ranges(const Grid& grid, int effort, bool weighted) noexcept {
  if (grid.n_groups == 1 && !weighted && effort <= 1) {
    if (effort == 0) return add(0.0F, 0.0F);
    add(0.4F, 0.0F);
    // Five bits that hold what was written with four: 30 steps where there were 15.
    grid.levels.size() > 16 ? add(0.0F, -1.0F) : add(0.0F, 0.4F);
    return;
  }
  add(0.0F, 0.0F);
  add(0.0F, -1.0F);
  if (grid.n_groups == 1 || effort > 0) add(-1.0F, 0.0F);
  switch (effort) {
    case 0:
      add_ranges(0.0F, 0.7F, 0.3F);
      n_polish_ = weighted ? 2 : 1;
      break;
    case 1:
      add_ranges(-0.3F, 0.7F, 0.3F);
      n_polish_ = 2;
      break;
    case 2:
      add_ranges(-0.6F, 1.6F, 0.3F);
      n_polish_ = 3;
      break;
    default:
      add_ranges(-0.9F, 1.9F, 0.3F);
      n_polish_ = 6;
  }
}

// The extreme number lands somewhat inside the grid, or beyond it and is clipped.
void Starts::plan_extremes(const Grid& grid, const Levels& levels, int effort) noexcept {
  const auto& all = grid.levels;
  const float low_gap = all[1] - all[0];
  const float high_gap = all.back() - all[all.size() - 2];
  const auto add_low = [&](float beyond) { add(0.0F, all.front() - beyond * low_gap); };
  const auto add_both = [&](float least, float most, float step) {
    for (float beyond = least; beyond < most; beyond += step) {
      add(0.0F, all.back() + beyond * high_gap);
      if (!levels.symmetric()) add_low(beyond);
    }
  };
  if (all.size() == 2) return add(0.0F, all.back());  // the codes are the signs, whatever the scale
  if (effort >= 2) {
    const float most = all.size() <= 8 ? 2.6F : 1.7F;
    add_both(-1.0F, most, effort == 2 ? 0.2F : 0.1F);
    n_polish_ = effort == 2 ? 3 : 6;
    return;
  }
  if (all.size() <= 8) {
    add_both(0.0F, effort == 0 ? 1.6F : 2.1F, 0.5F);
  } else if (levels.kind != Levels::Kind::uniform) {
    if (effort == 0) return add_both(-0.6F, 0.9F, 0.4F);
    add_both(-0.8F, 1.1F, 0.2F);
    n_polish_ = 1;
  } else if (grid.n_groups > 1 || all.size() > 32) {
    if (effort == 0) return add_both(-0.2F, 0.5F, 0.3F);
    for (const float beyond : {-0.5F, 0.1F, 0.4F, 0.8F}) add_both(beyond, beyond + 0.1F, 1.0F);
    n_polish_ = 1;
  } else if (effort == 0) {
    add_low(0.0F);
  } else {
    // Others round by the extreme alone here: the search must not cost more than that saves.
    for (const float beyond : {0.45F, 0.1F, -0.2F, -0.8F}) add_low(beyond);
  }
}

}  // namespace kerf

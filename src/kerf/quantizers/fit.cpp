#include "kerf/quantizers/fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/quantizers/score.h"

namespace kerf {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Starts {
  std::size_t n;
  const float* low;
  const float* high;
  std::size_t n_polish;
};

/// 1 / a, or 0 where a is 0.
KERF_INLINE Eight inverse_or_zero(const Eight& a) noexcept {
  const Eight magnitude = larger(a, Eight::zero() - a);
  return where_greater(magnitude, Eight::all(std::numeric_limits<float>::min()), Eight::all(1.0F) / a,
                       Eight::zero());
}

/// The best scale so far of each group. For given codes the best scale is Σwxl / Σwl²; it explains
/// (Σwxl)² / Σwl² of Σwx², the more the better. Compared crosswise, without divisions.
struct BestScale {
  Eight xl = Eight::zero();
  Eight ll = Eight::all(1.0F);

  KERF_INLINE void offer(const Score& sums, const Eight& least_xl) noexcept {
    const Eight sum_xl = larger(sums.xl, least_xl);
    const Eight theirs = sum_xl * sum_xl * ll;
    const Eight ours = xl * xl * sums.ll;
    xl = where_greater(theirs, ours, sum_xl, xl);
    ll = where_greater(theirs, ours, sums.ll, ll);
  }
  [[nodiscard]] KERF_INLINE Eight scale() const noexcept { return xl / ll; }
};

template <bool kWeighted, class L>
KERF_INLINE void fit_scales_of(const Panel& panel, const L& levels, const Starts& starts, bool symmetric,
                               Grid::Sign sign, Lanes& scale) noexcept {
  const Eight smallest = Eight::load(panel.smallest);
  const Eight largest = Eight::load(panel.largest);
  const Eight depth = Eight::zero() - smallest;
  const Eight extreme = where_greater(depth, largest, symmetric ? depth : smallest, largest);
  const Eight inverse_extreme = inverse_or_zero(extreme);
  const Eight least_xl = Eight::all(sign == Grid::Sign::non_negative ? 0.0F : -kInfinity);

  BestScale best;
  constexpr std::size_t kBatch = 4;
  std::size_t c = 0;
  for (; c + kBatch <= starts.n; c += kBatch) {
    Eight inverse[kBatch];
    Score sums[kBatch];
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kBatch; ++j) inverse[j] = Eight::all(starts.high[c + j]) * inverse_extreme;
    score<kBatch, false, kWeighted>(panel, levels, inverse, nullptr, sums);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kBatch; ++j) best.offer(sums[j], least_xl);
  }
  const std::size_t n_singles = starts.n - c + starts.n_polish;
  for (std::size_t j = 0; j < n_singles; ++j) {
    const Eight inverse =
        c + j < starts.n ? Eight::all(starts.high[c + j]) * inverse_extreme : inverse_or_zero(best.scale());
    Score sums;
    score<1, false, kWeighted>(panel, levels, &inverse, nullptr, &sums);
    best.offer(sums, least_xl);
  }
  best.scale().store(scale);
}

/// What the numbers of eight groups and the format say about admissible solutions.
struct Limits {
  Eight w, x;                       ///< Σw, Σw·x
  Eight least_scale;                ///< 0 or −∞
  Eight least_offset, most_offset;  ///< as seen from the centre
};

struct BestGrid {
  Eight scale, offset, explained;

  /// Where the best offset is not admissible it moves to the limit, and the scale follows.
  KERF_INLINE void offer(const Score& sums, const Limits& limits) noexcept {
    const Eight& w = limits.w;
    const Eight determinant = w * sums.ll - sums.l * sums.l;
    const Eight covariance = w * sums.xl - limits.x * sums.l;
    Eight new_scale = where_greater(determinant, Eight::zero(), covariance / determinant);
    const Eight free_offset = (limits.x - new_scale * sums.l) / w;
    const Eight new_offset = smaller(larger(free_offset, limits.least_offset), limits.most_offset);
    const Eight bound_scale =
        where_greater(sums.ll, Eight::zero(), (sums.xl - new_offset * sums.l) / sums.ll);
    const Eight shift = new_offset - free_offset;
    new_scale = where_greater(shift * shift, Eight::zero(), bound_scale, new_scale);
    new_scale = larger(new_scale, limits.least_scale);
    // Σw·x² minus the error.
    const Eight gain =
        new_scale * (sums.xl + sums.xl - new_scale * sums.ll - (new_offset + new_offset) * sums.l) +
        new_offset * (limits.x + limits.x - new_offset * w);
    scale = where_greater(gain, explained, new_scale, scale);
    offset = where_greater(gain, explained, new_offset, offset);
    explained = larger(gain, explained);
  }
};

template <bool kWeighted, class L>
KERF_INLINE void fit_grids_of(const Panel& panel, const L& levels, const Starts& starts,
                              const Moments& numbers, Grid::Sign scale_sign, Grid::Sign offset_sign,
                              GroupGrids& grids) noexcept {
  const Eight zero = Eight::zero() - Eight::load(panel.centre);
  Limits limits;
  limits.w = Eight::load(numbers.w);
  limits.x = Eight::load(numbers.x);
  limits.least_scale = Eight::all(scale_sign == Grid::Sign::non_negative ? 0.0F : -kInfinity);
  limits.least_offset = offset_sign == Grid::Sign::non_negative ? zero : Eight::all(-kInfinity);
  limits.most_offset = offset_sign == Grid::Sign::non_positive ? zero : Eight::all(kInfinity);

  const Eight smallest =
      smaller(larger(Eight::load(panel.smallest), limits.least_offset), limits.most_offset);
  const Eight inverse_range = inverse_or_zero(Eight::load(panel.largest) - smallest);

  // To begin with, every number is replaced by the mean.
  BestGrid best;
  best.scale = Eight::zero();
  best.offset = smaller(larger(limits.x / limits.w, limits.least_offset), limits.most_offset);
  best.explained = best.offset * (limits.x + limits.x - best.offset * limits.w);

  constexpr std::size_t kBatch = 3;
  std::size_t c = 0;
  const auto start = [&](std::size_t index, Eight& inverse, Eight& shift) KERF_INLINE_LAMBDA {
    const float span = levels.hi - levels.lo + starts.low[index] + starts.high[index];
    inverse = Eight::all(span) * inverse_range;
    shift = Eight::all(levels.lo - starts.low[index]) - smallest * inverse;
  };
  for (; c + kBatch <= starts.n; c += kBatch) {
    Eight inverse[kBatch];
    Eight shift[kBatch];
    Score sums[kBatch];
    for (std::size_t j = 0; j < kBatch; ++j) start(c + j, inverse[j], shift[j]);
    score<kBatch, true, kWeighted>(panel, levels, inverse, shift, sums);
    for (std::size_t j = 0; j < kBatch; ++j) best.offer(sums[j], limits);
  }
  const std::size_t n_singles = starts.n - c + starts.n_polish;
  for (std::size_t j = 0; j < n_singles; ++j) {
    Eight inverse = inverse_or_zero(best.scale);
    Eight shift = Eight::zero() - best.offset * inverse;
    if (c + j < starts.n) start(c + j, inverse, shift);
    Score sums;
    score<1, true, kWeighted>(panel, levels, &inverse, &shift, &sums);
    best.offer(sums, limits);
  }
  best.scale.store(grids.scale);
  best.offset.store(grids.offset);
}

KERF_CLONES void fit_scales(const Panel& panel, const Levels& levels, const Starts& starts, Grid::Sign sign,
                            Lanes& scale) noexcept {
  const bool symmetric = levels.symmetric();
  with_levels(levels, [&](const auto& some) KERF_INLINE_LAMBDA {
    if (panel.weighted)
      fit_scales_of<true>(panel, some, starts, symmetric, sign, scale);
    else
      fit_scales_of<false>(panel, some, starts, symmetric, sign, scale);
  });
}

/// Levels are uniform: no format has an offset and a table.
KERF_CLONES void fit_grids(const Panel& panel, const UniformLevels& levels, const Starts& starts,
                           const Moments& numbers, Grid::Sign scale_sign, Grid::Sign offset_sign,
                           GroupGrids& grids) noexcept {
  if (panel.weighted)
    fit_grids_of<true>(panel, levels, starts, numbers, scale_sign, offset_sign, grids);
  else
    fit_grids_of<false>(panel, levels, starts, numbers, scale_sign, offset_sign, grids);
}

}  // namespace

void SearchPlan::add(float low, float high) noexcept {
  KERF_CHECK(n_starts_ < kMaxStarts);
  low_[n_starts_] = low;
  high_[n_starts_] = high;
  ++n_starts_;
}

SearchPlan::SearchPlan(const Grid& grid) noexcept
    : levels_(grid),
      scale_sign_(grid.scale_sign),
      offset_sign_(grid.offset_sign),
      has_offset_(grid.has_offset) {
  KERF_CHECK(levels_.kind == Levels::Kind::uniform || !has_offset_);
  if (has_offset_)
    plan_ranges(grid);
  else
    plan_extremes(grid);
}

// A range that ends one level early finds numbers again that lie on a grid of half as many levels.
void SearchPlan::plan_ranges(const Grid& grid) noexcept {
  add(0.0F, 0.0F);
  add(0.0F, -1.0F);
  if (grid.n_groups == 1) {
    add(0.4F, 0.4F);
    return;
  }
  // The parameters of the groups will be rounded and searched at some expense; so a thorough start pays.
  add(-1.0F, 0.0F);
  for (const float low : {-0.3F, 0.0F, 0.3F, 0.6F})
    for (const float high : {-0.3F, 0.0F, 0.3F, 0.6F})
      if (low != 0.0F || high != 0.0F) add(low, high);
  n_polish_ = 2;
}

// The extreme number lands somewhat inside the grid, or beyond it and is clipped.
void SearchPlan::plan_extremes(const Grid& grid) noexcept {
  const auto& levels = grid.levels;
  const float high_gap = levels.back() - levels[levels.size() - 2];
  const float low_gap = levels[1] - levels[0];
  const auto add_both = [&](float beyond) {
    add(0.0F, levels.back() + beyond * high_gap);
    if (!levels_.symmetric()) add(0.0F, levels.front() - beyond * low_gap);
  };
  if (levels.size() == 2) {
    add(0.0F, levels.back());  // the codes are the signs, whatever the scale
  } else if (levels.size() <= 8) {
    for (const float beyond : {-0.5F, 0.0F, 0.5F, 1.0F, 1.5F, 2.0F}) add_both(beyond);
  } else if (levels_.kind != Levels::Kind::uniform) {
    for (const float beyond : {-0.8F, -0.6F, -0.4F, -0.2F, 0.0F, 0.2F, 0.4F, 0.6F, 0.8F, 1.0F})
      add_both(beyond);
  } else if (grid.n_groups > 1 || levels.size() > 32) {
    for (const float beyond : {-0.5F, 0.1F, 0.4F, 0.8F}) add_both(beyond);
  } else {
    // Others round by the extreme alone here: the search must not cost more than that saves.
    for (const float low : {0.0F, 0.4F}) add(0.0F, levels.front() - low);
    add(0.0F, levels.back() + 0.2F);
  }
}

void SearchPlan::fit(const Panel& panel, const Moments& numbers, GroupGrids& grids) const noexcept {
  const Starts starts{.n = n_starts_, .low = low_, .high = high_, .n_polish = n_polish_};
  if (has_offset_) {
    fit_grids(panel, levels_.uniform, starts, numbers, scale_sign_, offset_sign_, grids);
    return;
  }
  fit_scales(panel, levels_, starts, scale_sign_, grids.scale);
  std::fill_n(grids.offset, kLanes, 0.0F);
}

void refit_offsets(const Moments& numbers, const LevelSums& sums, const Lanes& scale,
                   Lanes& offset) noexcept {
  for (std::size_t k = 0; k < kLanes; ++k) offset[k] = (numbers.x[k] - scale[k] * sums.l[k]) / numbers.w[k];
}

}  // namespace kerf

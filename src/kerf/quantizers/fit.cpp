#include "kerf/quantizers/fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/quantizers/score.h"

namespace kerf {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

/// L serves the starts, P the grids that are found.
template <bool kWeighted, class L, class P>
KERF_INLINE void fit_scales_of(const Panel& panel, const L& levels, const P& polish_levels,
                               const Starts& starts, bool symmetric, Grid::Sign sign, Lanes& scale) noexcept {
  const Eight smallest = Eight::load(panel.smallest);
  const Eight largest = Eight::load(panel.largest);
  const Eight depth = Eight::zero() - smallest;
  const Eight extreme = where_greater(depth, largest, symmetric ? depth : smallest, largest);
  const Eight inverse_extreme = inverse_or_zero(extreme);
  const Eight least_xl = Eight::all(sign == Grid::Sign::non_negative ? 0.0F : -kInfinity);

  BestScale best;
  constexpr std::size_t kBatch = 4;
  std::size_t c = 0;
  for (; c + kBatch <= starts.size(); c += kBatch) {
    Eight inverse[kBatch];
    Score sums[kBatch];
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kBatch; ++j) inverse[j] = Eight::all(starts.target(c + j)) * inverse_extreme;
    score<kBatch, false, kWeighted>(panel, levels, inverse, nullptr, sums);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kBatch; ++j) best.offer(sums[j], least_xl);
  }
  const std::size_t n_singles = starts.size() - c + starts.n_polish();
  for (std::size_t j = 0; j < n_singles; ++j) {
    const Eight inverse = c + j < starts.size() ? Eight::all(starts.target(c + j)) * inverse_extreme
                                                : inverse_or_zero(best.scale());
    Score sums;
    score<1, false, kWeighted>(panel, polish_levels, &inverse, nullptr, &sums);
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

/// The best grid so far of each group, where any scale and offset can be stored. For given codes the best
/// scale is covariance / determinant (both times Σw²); it explains covariance² / determinant of the variance.
/// Compared crosswise, without divisions.
struct BestFreeGrid {
  Eight covariance = Eight::zero();
  Eight determinant = Eight::all(1.0F);
  Eight l = Eight::zero();
  Eight w, x;

  KERF_INLINE explicit BestFreeGrid(const Limits& limits) noexcept : w(limits.w), x(limits.x) {}

  KERF_INLINE void offer(const Score& sums) noexcept {
    const Eight new_determinant = w * sums.ll - sums.l * sums.l;
    const Eight new_covariance = w * sums.xl - x * sums.l;
    const Eight theirs = new_covariance * new_covariance * determinant;
    const Eight ours = covariance * covariance * new_determinant;
    covariance = where_greater(theirs, ours, new_covariance, covariance);
    determinant = where_greater(theirs, ours, new_determinant, determinant);
    l = where_greater(theirs, ours, sums.l, l);
  }
  [[nodiscard]] KERF_INLINE Eight scale() const noexcept { return covariance / determinant; }
  [[nodiscard]] KERF_INLINE Eight offset() const noexcept { return (x - scale() * l) / w; }
};

/// The same where the signs of scale and offset are bound. To begin with, every number is replaced by the
/// mean.
struct BestBoundGrid {
  Limits limits;
  Eight best_scale, best_offset, explained;

  KERF_INLINE explicit BestBoundGrid(const Limits& all) noexcept : limits(all) {
    best_scale = Eight::zero();
    best_offset = smaller(larger(limits.x / limits.w, limits.least_offset), limits.most_offset);
    explained = best_offset * (limits.x + limits.x - best_offset * limits.w);
  }

  /// Where the best offset is not admissible it moves to the limit, and the scale follows.
  KERF_INLINE void offer(const Score& sums) noexcept {
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
    best_scale = where_greater(gain, explained, new_scale, best_scale);
    best_offset = where_greater(gain, explained, new_offset, best_offset);
    explained = larger(gain, explained);
  }
  [[nodiscard]] KERF_INLINE Eight scale() const noexcept { return best_scale; }
  [[nodiscard]] KERF_INLINE Eight offset() const noexcept { return best_offset; }
};

template <bool kWeighted, class Best, class L>
KERF_INLINE void fit_grids_of(const Panel& panel, const L& levels, const UniformLevels& polish_levels,
                              const Starts& starts, const Limits& limits, GroupGrids& grids) noexcept {
  const Eight smallest =
      smaller(larger(Eight::load(panel.smallest), limits.least_offset), limits.most_offset);
  const Eight inverse_range = inverse_or_zero(Eight::load(panel.largest) - smallest);
  const auto start = [&](std::size_t index, Eight& inverse, Eight& shift) KERF_INLINE_LAMBDA {
    const float span = levels.hi - levels.lo + starts.below(index) + starts.above(index);
    inverse = Eight::all(span) * inverse_range;
    shift = Eight::all(levels.lo - starts.below(index)) - smallest * inverse;
  };
  Best best(limits);
  constexpr std::size_t kBatch = 2;
  std::size_t c = 0;
  for (; c + kBatch <= starts.size(); c += kBatch) {
    Eight inverse[kBatch];
    Eight shift[kBatch];
    Score sums[kBatch];
    for (std::size_t j = 0; j < kBatch; ++j) start(c + j, inverse[j], shift[j]);
    score<kBatch, true, kWeighted>(panel, levels, inverse, shift, sums);
    for (std::size_t j = 0; j < kBatch; ++j) best.offer(sums[j]);
  }
  const std::size_t n_singles = starts.size() - c + starts.n_polish();
  for (std::size_t j = 0; j < n_singles; ++j) {
    Eight inverse = inverse_or_zero(best.scale());
    Eight shift = Eight::zero() - best.offset() * inverse;
    if (c + j < starts.size()) start(c + j, inverse, shift);
    Score sums;
    score<1, true, kWeighted>(panel, polish_levels, &inverse, &shift, &sums);
    best.offer(sums);
  }
  best.scale().store(grids.scale);
  best.offset().store(grids.offset);
}

KERF_CLONES void fit_scales(const Panel& panel, const Levels& levels, const Starts& starts, Grid::Sign sign,
                            Lanes& scale) noexcept {
  const bool symmetric = levels.symmetric();
  if (starts.stay_above() && levels.kind == Levels::Kind::uniform && !panel.weighted) {
    const BoundedBelow bounded{levels.lo(), levels.hi()};
    fit_scales_of<false>(panel, bounded, levels.uniform, starts, symmetric, sign, scale);
    return;
  }
  with_levels(levels, [&](const auto& some) KERF_INLINE_LAMBDA {
    if (panel.weighted)
      fit_scales_of<true>(panel, some, some, starts, symmetric, sign, scale);
    else
      fit_scales_of<false>(panel, some, some, starts, symmetric, sign, scale);
  });
}

template <class Best>
KERF_INLINE void fit_grids_with(const Panel& panel, const UniformLevels& levels, const Starts& starts,
                                const Limits& limits, GroupGrids& grids) noexcept {
  if (panel.weighted) return fit_grids_of<true, Best>(panel, levels, levels, starts, limits, grids);
  if (!starts.stay_inside()) return fit_grids_of<false, Best>(panel, levels, levels, starts, limits, grids);
  const Unbounded unbounded{levels.lo, levels.hi};
  fit_grids_of<false, Best>(panel, unbounded, levels, starts, limits, grids);
}

/// Levels are uniform: no format has an offset and a table.
KERF_CLONES void fit_grids(const Panel& panel, const UniformLevels& levels, const Starts& starts,
                           const Moments& numbers, Grid::Sign scale_sign, Grid::Sign offset_sign,
                           GroupGrids& grids) noexcept {
  const Eight zero = Eight::zero() - Eight::load(panel.centre);
  Limits limits;
  limits.w = Eight::load(numbers.w);
  limits.x = Eight::load(numbers.x);
  limits.least_scale = Eight::all(scale_sign == Grid::Sign::non_negative ? 0.0F : -kInfinity);
  limits.least_offset = offset_sign == Grid::Sign::non_negative ? zero : Eight::all(-kInfinity);
  limits.most_offset = offset_sign == Grid::Sign::non_positive ? zero : Eight::all(kInfinity);
  if (scale_sign == Grid::Sign::any && offset_sign == Grid::Sign::any)
    fit_grids_with<BestFreeGrid>(panel, levels, starts, limits, grids);
  else
    fit_grids_with<BestBoundGrid>(panel, levels, starts, limits, grids);
}

}  // namespace

void SearchPlan::fit(const Panel& panel, const Moments& numbers, GroupGrids& grids) const noexcept {
  if (has_offset_) {
    fit_grids(panel, levels_.uniform, starts_, numbers, scale_sign_, offset_sign_, grids);
    return;
  }
  fit_scales(panel, levels_, starts_, scale_sign_, grids.scale);
  std::fill_n(grids.offset, kLanes, 0.0F);
}

void refit_offsets(const Moments& numbers, const LevelSums& sums, const Lanes& scale,
                   Lanes& offset) noexcept {
  for (std::size_t k = 0; k < kLanes; ++k) offset[k] = (numbers.x[k] - scale[k] * sums.l[k]) / numbers.w[k];
}

}  // namespace kerf

#include "kerf/quantizers/fit.h"

#include <algorithm>
#include <cmath>

namespace kerf {
namespace {

bool storable(float value, Grid::Sign sign) noexcept {
  return sign == Grid::Sign::any || (sign == Grid::Sign::non_negative ? value >= 0.0F : value <= 0.0F);
}

/// Best scale for one group and what it explains of Σ w·x², the larger the better.
struct Solution {
  float scale = 0.0F;
  float offset = 0.0F;
  float explained = 0.0F;
};

Solution solve_scale(const LevelSums& sums, std::size_t k, Grid::Sign sign) noexcept {
  if (!(sums.ll[k] > 0.0F)) return {};
  const float scale = sums.xl[k] / sums.ll[k];
  if (!storable(scale, sign)) return {};
  return {.scale = scale, .offset = 0.0F, .explained = scale * sums.xl[k]};
}

/// Σ w·x² minus the error of these parameters.
float explained(const Moments& numbers, const LevelSums& sums, std::size_t k, float scale,
                float offset) noexcept {
  return scale * (2.0F * sums.xl[k] - scale * sums.ll[k] - 2.0F * offset * sums.l[k]) +
         offset * (2.0F * numbers.x[k] - offset * numbers.w[k]);
}

/// Best scale and offset; if that offset cannot be stored, the best scale for an offset of zero, which is
/// −centre as seen from the numbers.
Solution solve_scale_and_offset(const Moments& numbers, const LevelSums& sums, std::size_t k, float centre,
                                Grid::Sign scale_sign, Grid::Sign offset_sign) noexcept {
  const float w = numbers.w[k];
  const float x = numbers.x[k];
  const float determinant = w * sums.ll[k] - sums.l[k] * sums.l[k];
  float scale = 0.0F;
  float offset = -centre;
  if (determinant > 0.0F) {
    scale = (w * sums.xl[k] - x * sums.l[k]) / determinant;
    offset = (x - scale * sums.l[k]) / w;
  }
  if (!(determinant > 0.0F) || !storable(offset + centre, offset_sign)) {
    offset = -centre;
    scale = sums.ll[k] > 0.0F ? (sums.xl[k] - offset * sums.l[k]) / sums.ll[k] : 0.0F;
  }
  if (!storable(scale, scale_sign)) return {};
  return {.scale = scale, .offset = offset, .explained = explained(numbers, sums, k, scale, offset)};
}

}  // namespace

SearchPlan::SearchPlan(const Grid& grid) noexcept
    : levels_(grid),
      scale_sign_(grid.scale_sign),
      offset_sign_(grid.offset_sign),
      has_offset_(grid.has_offset) {
  const auto add = [this](float low, float high) {
    low_[n_starts_] = low;
    high_[n_starts_] = high;
    ++n_starts_;
  };
  const auto& levels = grid.levels;
  if (has_offset_) {
    for (const float low : {0.0F, 0.3F, 0.7F})
      for (const float high : {0.0F, 0.3F, 0.7F}) add(low, high);
    n_polish_ = 2;
    return;
  }
  if (levels.size() == 2) {
    add(0.0F, levels_.hi());
    return;
  }
  const float high_gap = levels.back() - levels[levels.size() - 2];
  const float low_gap = levels[1] - levels[0];
  for (const float d : {-0.6F, -0.2F, 0.2F, 0.6F, 1.0F}) {
    add(0.0F, levels_.hi() + d * high_gap);
    if (!levels_.mirrored()) add(0.0F, levels_.lo() - d * low_gap);
  }
}

void SearchPlan::fit(const Panel& panel, GroupGrids& grids) const noexcept {
  if (has_offset_)
    fit_scales_and_offsets(panel, grids);
  else
    fit_scales(panel, grids);
}

void SearchPlan::fit_scales(const Panel& panel, GroupGrids& grids) const noexcept {
  Lanes smallest;
  Lanes largest;
  extremes(panel, smallest, largest);
  Lanes inverse_extreme;
  for (std::size_t k = 0; k < kLanes; ++k) {
    float extreme = largest[k] >= -smallest[k] ? largest[k] : smallest[k];
    if (levels_.mirrored()) extreme = std::fabs(extreme);
    inverse_extreme[k] = safe_inverse(extreme);
  }
  Candidate starts[kMaxStarts];
  LevelSums sums[kMaxStarts];
  for (std::size_t c = 0; c < n_starts_; ++c)
    for (std::size_t k = 0; k < kLanes; ++k) {
      starts[c].inverse[k] = high_[c] * inverse_extreme[k];
      starts[c].shift[k] = 0.0F;
    }
  score(panel, levels_, starts, n_starts_, false, sums);

  Solution best[kLanes];
  for (std::size_t c = 0; c < n_starts_; ++c)
    for (std::size_t k = 0; k < kLanes; ++k) {
      const Solution found = solve_scale(sums[c], k, scale_sign_);
      if (found.explained > best[k].explained) best[k] = found;
    }
  for (std::size_t step = 0; step < n_polish_; ++step) {
    for (std::size_t k = 0; k < kLanes; ++k) starts[0].inverse[k] = safe_inverse(best[k].scale);
    score(panel, levels_, starts, 1, false, sums);
    for (std::size_t k = 0; k < kLanes; ++k) {
      const Solution found = solve_scale(sums[0], k, scale_sign_);
      if (found.explained > best[k].explained) best[k] = found;
    }
  }
  for (std::size_t k = 0; k < kLanes; ++k) {
    grids.scale[k] = best[k].scale;
    grids.offset[k] = 0.0F;
  }
}

void SearchPlan::fit_scales_and_offsets(const Panel& panel, GroupGrids& grids) const noexcept {
  Lanes smallest;
  Lanes largest;
  extremes(panel, smallest, largest);
  Moments numbers;
  moments(panel, numbers);
  for (std::size_t k = 0; k < kLanes; ++k) {
    // An offset that must not be positive keeps the lowest level at or below zero, and so on.
    if (offset_sign_ == Grid::Sign::non_positive) smallest[k] = std::min(smallest[k], -panel.centre[k]);
    if (offset_sign_ == Grid::Sign::non_negative) smallest[k] = std::max(smallest[k], -panel.centre[k]);
  }
  const float span = levels_.hi() - levels_.lo();
  Candidate starts[kMaxStarts];
  LevelSums sums[kMaxStarts];
  for (std::size_t c = 0; c < n_starts_; ++c)
    for (std::size_t k = 0; k < kLanes; ++k) {
      const float inverse = (span + low_[c] + high_[c]) * safe_inverse(largest[k] - smallest[k]);
      starts[c].inverse[k] = inverse;
      starts[c].shift[k] = levels_.lo() - low_[c] - smallest[k] * inverse;
    }
  score(panel, levels_, starts, n_starts_, true, sums);

  // A constant group, and the fallback: everything on the lowest level.
  Solution best[kLanes];
  for (std::size_t k = 0; k < kLanes; ++k) {
    const float mean = numbers.w[k] > 0.0F ? numbers.x[k] / numbers.w[k] : 0.0F;
    const float offset = storable(mean + panel.centre[k], offset_sign_) ? mean : -panel.centre[k];
    best[k] = {
        .scale = 0.0F, .offset = offset, .explained = offset * (2.0F * numbers.x[k] - offset * numbers.w[k])};
  }
  const auto improve = [&](const LevelSums& found_sums) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      const Solution found =
          solve_scale_and_offset(numbers, found_sums, k, panel.centre[k], scale_sign_, offset_sign_);
      if (found.explained > best[k].explained) best[k] = found;
    }
  };
  for (std::size_t c = 0; c < n_starts_; ++c) improve(sums[c]);
  for (std::size_t step = 0; step < n_polish_; ++step) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      starts[0].inverse[k] = safe_inverse(best[k].scale);
      starts[0].shift[k] = -best[k].offset * starts[0].inverse[k];
    }
    score(panel, levels_, starts, 1, true, sums);
    improve(sums[0]);
  }
  for (std::size_t k = 0; k < kLanes; ++k) {
    grids.scale[k] = best[k].scale;
    grids.offset[k] = best[k].offset;
  }
}

void refit_offsets(const Moments& numbers, const LevelSums& sums, const Lanes& scale,
                   Lanes& offset) noexcept {
  for (std::size_t k = 0; k < kLanes; ++k)
    if (numbers.w[k] > 0.0F) offset[k] = (numbers.x[k] - scale[k] * sums.l[k]) / numbers.w[k];
}

}  // namespace kerf

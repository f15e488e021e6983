// Least squares per group: the scales (and offsets) that suit the numbers best, before any rounding of the
// parameters themselves.
//
// For given codes the best parameters are a linear least squares problem, for given parameters the best code
// is the nearest level. A search scores a list of starting grids by the error that is left after the first
// step, then repeats both steps from the best one (Lloyd's alternation, 1957/1982, on a grid).
#pragma once

#include "kerf/quantizers/panel.h"

namespace kerf {

/// Parameters of the eight groups of a panel.
struct GroupGrids {
  Lanes scale, offset;
};

/// The starting grids of a search. They depend on the levels only, so a row shares one list.
class SearchPlan {
 public:
  explicit SearchPlan(const Grid& grid) noexcept;

  /// Chooses parameters for each group, within the signs that the grid can store. A group of zeros gets
  /// zeros. Offsets are relative to the centres of the panel. The moments are used with offsets only.
  void fit(const Panel& panel, const Moments& numbers, GroupGrids& grids) const noexcept;

  [[nodiscard]] const Levels& levels() const noexcept { return levels_; }

 private:
  static constexpr std::size_t kMaxStarts = 24;

  void add(float low, float high) noexcept;
  void plan_ranges(const Grid& grid) noexcept;
  void plan_extremes(const Grid& grid) noexcept;

  Levels levels_;
  Grid::Sign scale_sign_;
  Grid::Sign offset_sign_;
  bool has_offset_;
  std::size_t n_starts_ = 0;
  std::size_t n_polish_ = 1;
  /// Without offset: high is the (fractional) level onto which the number of largest magnitude is mapped.
  /// With offset: how far, in levels, the range of the numbers reaches below the lowest and above the
  /// highest.
  float low_[kMaxStarts];
  float high_[kMaxStarts];
};

/// The offset that is best for each group when the levels with these sums were chosen for these scales.
void refit_offsets(const Moments& numbers, const LevelSums& sums, const Lanes& scale, Lanes& offset) noexcept;

}  // namespace kerf

// Least squares per group: the scales (and offsets) that suit the numbers best, before any rounding of the
// parameters themselves.
//
// For given codes the best parameters are a linear least squares problem, for given parameters the best code
// is the nearest level. A search scores a list of starting grids by the error that is left after the first
// step, then repeats both steps from the best one (Lloyd's alternation, 1957/1982, on a grid).
#pragma once

#include "kerf/base/check.h"
#include "kerf/quantizers/panel.h"
#include "kerf/quantizers/starts.h"

namespace kerf {

/// Parameters of the eight groups of a panel.
struct GroupGrids {
  Lanes scale, offset;
};

/// A search for the parameters of groups. It depends on the levels only, so a row shares one.
class SearchPlan {
 public:
  SearchPlan(const Grid& grid, int effort, bool weighted) noexcept
      : levels_(grid),
        starts_(grid, levels_, effort, weighted),
        scale_sign_(grid.scale_sign),
        offset_sign_(grid.offset_sign),
        has_offset_(grid.has_offset) {
    KERF_CHECK(levels_.kind == Levels::Kind::uniform || !has_offset_);
  }

  /// Chooses parameters for each group, within the signs that the grid can store. A group of zeros gets
  /// zeros. Offsets are relative to the centres of the panel. The moments are used with offsets only.
  void fit(const Panel& panel, const Moments& numbers, GroupGrids& grids) const noexcept;

  [[nodiscard]] const Levels& levels() const noexcept { return levels_; }

 private:
  Levels levels_;
  Starts starts_;
  Grid::Sign scale_sign_;
  Grid::Sign offset_sign_;
  bool has_offset_;
};

/// The offset that is best for each group when the levels with these sums were chosen for these scales.
void refit_offsets(const Moments& numbers, const LevelSums& sums, const Lanes& scale, Lanes& offset) noexcept;

}  // namespace kerf

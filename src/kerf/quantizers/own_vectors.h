// Numbers that already are points of a VectorGrid under scales that share a factor.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kerf/formats/vector_grid.h"

namespace kerf {

/// A factor and the scale of each group with which all numbers may be points.
struct OwnFactor {
  float factor;
  std::vector<float> scale;
};

/// Such factors for n numbers x in groups of group_cells · 8, the last of which may be cut; none for ordinary
/// numbers. They are near what can be stored, not rounded to it. `levels` are the coordinates that there are.
[[nodiscard]] std::vector<OwnFactor> own_factors(const VectorGrid& grid, std::span<const float> levels,
                                                 const float* x, std::size_t n);

}  // namespace kerf

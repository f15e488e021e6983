// From a range of numbers to a uniform grid: the last step of every scheme that chooses a range.
#pragma once

#include "kerf/quantizers/mappings/grid.h"

namespace kerf::mapping_grid {

struct NumberRange {
  double low, high;
};

/// Levels ±(2^(b−1) − 1) with `clip` on the last; a clip of 0 stands for a group of zeros.
Result<MappedGroup> fit_clip(const Numbers& numbers, const MappingOptions& options, double clip,
                             std::vector<Step>* steps);

/// 2^b levels with a whole zero point. The range is widened to hold zero.
Result<MappedGroup> fit_zero_point(const Numbers& numbers, const MappingOptions& options, NumberRange range,
                                   std::vector<Step>* steps);

/// 2^b levels from low upwards, the minimum stored as it is.
Result<MappedGroup> fit_minimum(const Numbers& numbers, const MappingOptions& options, NumberRange range,
                                std::vector<Step>* steps);

}  // namespace kerf::mapping_grid

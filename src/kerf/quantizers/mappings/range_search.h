// Search for the range with the smallest Σ w |x − x̂|^p, by the stored parameters that it leads to.
#pragma once

#include "kerf/base/function_ref.h"
#include "kerf/quantizers/mappings/affine_range.h"

namespace kerf::mapping_grid {

/// Σ w |x − x̂|^p of a uniform grid with `top` + 1 codes, codes being round((x − offset) / scale) + zero.
[[nodiscard]] double uniform_cost(const Numbers& numbers, double power, double scale, double offset,
                                  double zero, double top) noexcept;

/// The range with the smallest cost among p · whole for p = 1, 0.99 … 0.21, the candidates of GPTQ and BRECQ,
/// and what a pattern search (Hooke and Jeeves 1961) finds from there: each end moves in and out by steps
/// that are halved when nothing improves, down to a 2^-16th of the range. With `symmetric` low = −high.
/// `cost` is infinite for ranges that are none.
NumberRange search_range(NumberRange whole, bool symmetric, FunctionRef<double(NumberRange)> cost);

}  // namespace kerf::mapping_grid

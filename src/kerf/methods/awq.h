// The search for AWQ's factors, by itself.
#pragma once

#include <span>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/methods/method.h"

namespace kerf {

/// Factors [K] for columns whose inputs have these mean magnitudes [K]: x̄^alpha, at least 1e-4, divided by
/// the geometric middle of the largest and the smallest. alpha = 0 gives ones.
[[nodiscard]] std::vector<float> awq_factors(std::span<const float> mean_magnitude, double alpha);

/// Of alpha = 0, 1/20 … 19/20 the factors with the least error; the first of equals, so nothing is ever worse
/// than with ones. Errors: those of `error`.
Result<std::vector<float>> search_factors(const std::vector<float>& mean_magnitude,
                                          FunctionRef<Result<double>(std::span<const float>)> error);

}  // namespace kerf

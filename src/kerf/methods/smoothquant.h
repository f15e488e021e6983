// SmoothQuant's factors, by themselves.
#pragma once

#include <span>
#include <vector>

namespace kerf {

/// Factors [K] for the columns of weights: max|x|^alpha / max|w|^(1 − alpha), maxima and factors at least
/// 1e-5. Activations are divided by them: at alpha = 1/2 both then have the same maxima.
[[nodiscard]] std::vector<float> smoothing_factors(std::span<const float> largest_input,
                                                   std::span<const float> largest_weight, double alpha);

}  // namespace kerf

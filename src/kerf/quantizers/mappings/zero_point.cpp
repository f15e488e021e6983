// Zero point: a whole number stands for zero, so that zero (padding, ReLU) is exact.
//   s = (hi − lo) / (2^b − 1),  z = round(−lo / s),  q = clip(round(x / s) + z, 0, 2^b − 1),  x̂ = s (q − z)
// with lo = min(min x, 0) and hi = max(max x, 0): without the zeros an all-positive group would clip z to 0
// and lose its low end.
// Source: Jacob et al., «Quantization and Training of Neural Networks …» (2018), §2.1.
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/mappings/affine_range.h"

namespace kerf {
namespace {

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  const auto [low, high] = std::minmax_element(numbers.x.begin(), numbers.x.end());
  return mapping_grid::fit_zero_point(numbers, options, {*low, *high}, steps);
}

}  // namespace

const Mapping mappings::zero_point{.name = "zero-point",
                                   .summary = "asymmetric from minimum to maximum, a whole number for zero",
                                   .bits_min = 1,
                                   .bits_max = 8,
                                   .bits_default = 8,
                                   .symmetry = Mapping::Symmetry::asymmetric,
                                   .fit = fit};

}  // namespace kerf

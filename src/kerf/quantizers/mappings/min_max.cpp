// Min-max: the levels run from the smallest to the largest number; the smallest is stored as it is, so zero
// need not be a level. What GGUF calls «min» in Q4_1.
#include <algorithm>

#include "kerf/quantizers/mappings/affine_range.h"

namespace kerf {
namespace {

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  const auto [low, high] = std::minmax_element(numbers.x.begin(), numbers.x.end());
  return mapping_grid::fit_minimum(numbers, options, {*low, *high}, steps);
}

}  // namespace

const Mapping mappings::min_max{.name = "min-max",
                                .summary = "asymmetric from minimum to maximum, the minimum stored as it is",
                                .bits_min = 1,
                                .bits_max = 8,
                                .bits_default = 8,
                                .symmetry = Mapping::Symmetry::asymmetric,
                                .fit = fit};

}  // namespace kerf

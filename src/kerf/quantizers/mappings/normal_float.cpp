// NF4 and NF3: levels at quantiles of the normal distribution, so that each code is used about equally often,
// with an exact zero; absmax scale. In models the group is 64.
// Source: Dettmers et al., «QLoRA» (2023), §3; normal.h.
#include "kerf/quantizers/mappings/grid.h"
#include "kerf/quantizers/normal.h"

namespace kerf {
namespace {

Result<MappedGroup> fit_nf4(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  static const auto levels = mapping_grid::table_of(normal_float_levels(4), 0);
  return mapping_grid::fit_absmax(numbers, options, levels, 1.0, "max|x|", steps);
}

Result<MappedGroup> fit_nf3(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  static const auto levels = mapping_grid::table_of(normal_float_levels(3), 0);
  return mapping_grid::fit_absmax(numbers, options, levels, 1.0, "max|x|", steps);
}

}  // namespace

const Mapping mappings::nf4{.name = "nf4",
                            .summary = "16 quantiles of the normal distribution with an exact zero (QLoRA)",
                            .bits_min = 4,
                            .bits_max = 4,
                            .bits_default = 4,
                            .symmetry = Mapping::Symmetry::asymmetric,
                            .fit = fit_nf4};

const Mapping mappings::nf3{.name = "nf3",
                            .summary = "8 levels by the rule of NF4",
                            .bits_min = 3,
                            .bits_max = 3,
                            .bits_default = 3,
                            .symmetry = Mapping::Symmetry::asymmetric,
                            .fit = fit_nf3};

}  // namespace kerf

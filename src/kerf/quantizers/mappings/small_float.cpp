// Small floating-point numbers as codes: the largest magnitude on the largest finite number. The number of a
// code is its bit pattern without the sign, so ties go to even mantissas as IEEE 754 wants it.
// Source: Micikevicius et al., «FP8 Formats for Deep Learning» (2022); OCP Microscaling Formats (MX) v1.0.
#include "kerf/numbers/minifloat.h"
#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

template <class Float>
std::shared_ptr<const LevelTable> levels_of(std::uint32_t max_magnitude) {
  std::vector<double> magnitudes;
  for (std::uint32_t m = 1; m <= max_magnitude; ++m)
    magnitudes.push_back(static_cast<double>(Float::decode_magnitude(m)));
  return mapping_grid::mirrored_levels(magnitudes);
}

Result<MappedGroup> fit_e4m3(const Numbers& numbers, const MappingOptions& options,
                             std::vector<Step>* steps) {
  static const auto levels = levels_of<E4M3>(0x7E);
  return mapping_grid::fit_absmax(numbers, options, levels, 448, "max|x| / 448", steps);
}

Result<MappedGroup> fit_e5m2(const Numbers& numbers, const MappingOptions& options,
                             std::vector<Step>* steps) {
  static const auto levels = levels_of<E5M2>(0x7B);
  return mapping_grid::fit_absmax(numbers, options, levels, 57344, "max|x| / 57344", steps);
}

Result<MappedGroup> fit_e2m1(const Numbers& numbers, const MappingOptions& options,
                             std::vector<Step>* steps) {
  static const auto levels = levels_of<E2M1>(0x7);
  return mapping_grid::fit_absmax(numbers, options, levels, 6, "max|x| / 6", steps);
}

}  // namespace

const Mapping mappings::fp8_e4m3{.name = "fp8-e4m3",
                                 .summary = "8-bit floats with 3 mantissa bits, the largest magnitude on 448",
                                 .bits_min = 8,
                                 .bits_max = 8,
                                 .bits_default = 8,
                                 .symmetry = Mapping::Symmetry::symmetric,
                                 .fit = fit_e4m3};

const Mapping mappings::fp8_e5m2{
    .name = "fp8-e5m2",
    .summary = "8-bit floats with 2 mantissa bits, the largest magnitude on 57344",
    .bits_min = 8,
    .bits_max = 8,
    .bits_default = 8,
    .symmetry = Mapping::Symmetry::symmetric,
    .fit = fit_e5m2};

const Mapping mappings::fp4_e2m1{
    .name = "fp4-e2m1",
    .summary = "4-bit floats (0, ½, 1, 1½, 2, 3, 4, 6), the largest magnitude on 6",
    .bits_min = 4,
    .bits_max = 4,
    .bits_default = 4,
    .symmetry = Mapping::Symmetry::symmetric,
    .fit = fit_e2m1};

}  // namespace kerf

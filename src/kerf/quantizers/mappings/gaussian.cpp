// Gaussian: the levels that are best for a normal distribution (Max 1960), scaled by the root mean square.
// For weights that have been rotated, and so made nearly normal, nothing has to be searched.
#include <cmath>

#include "kerf/quantizers/mappings/grid.h"
#include "kerf/quantizers/normal.h"

namespace kerf {
namespace {

std::shared_ptr<const LevelTable> table(int bits) {
  static const auto tables = [] {
    std::vector<std::shared_ptr<const LevelTable>> out{nullptr};
    for (std::size_t b = 1; b <= 8; ++b)
      out.push_back(mapping_grid::table_of(normal_levels(std::size_t{1} << b), 0));
    return out;
  }();
  return tables[static_cast<std::size_t>(bits)];
}

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  double squares = 0;
  for (const double v : numbers.x) squares += v * v;
  const double rms = std::sqrt(squares / static_cast<double>(numbers.x.size()));
  MappedGroup group;
  group.levels = table(options.bits);
  group.parameter_bits = bits_of(options.parameters);
  // There is no level at zero: a group of zeros needs a scale of zero.
  group.scale = 0;
  if (rms > 0) {
    KERF_TRY(group.scale, mapping_grid::stored_scale(rms, options.parameters));
  }
  mapping_grid::explain(steps, "s", "√(mean of x²)", group.scale, "√{:.6g}", rms * rms);
  mapping_grid::choose_codes(group, numbers.x, options);
  return group;
}

}  // namespace

const Mapping mappings::gaussian{.name = "gaussian",
                                 .summary = "levels that are best for a normal distribution (Max 1960)",
                                 .bits_min = 1,
                                 .bits_max = 8,
                                 .bits_default = 4,
                                 .symmetry = Mapping::Symmetry::symmetric,
                                 .fit = fit};

}  // namespace kerf

#include "kerf/quantizers/mappings/affine_range.h"

#include <algorithm>
#include <cmath>

namespace kerf::mapping_grid {

Result<MappedGroup> fit_clip(const Numbers& numbers, const MappingOptions& options, double clip,
                             std::vector<Step>* steps) {
  const int top = (1 << (options.bits - 1)) - 1;
  MappedGroup group;
  group.levels = integer_levels(-top, top);
  group.parameter_bits = bits_of(options.parameters);
  if (clip > 0) {
    KERF_TRY(group.scale, stored_scale(clip / top, options.parameters));
  }
  explain(steps, "s", "c / (2^(b−1) − 1)", group.scale, "{:.6g} / {}", clip, top);
  choose_codes(group, numbers.x, options);
  return group;
}

Result<MappedGroup> fit_zero_point(const Numbers& numbers, const MappingOptions& options, NumberRange range,
                                   std::vector<Step>* steps) {
  const int top = (1 << options.bits) - 1;
  const double low = std::min(range.low, 0.0);
  const double high = std::max(range.high, 0.0);
  MappedGroup group;
  group.levels = integer_levels(0, top);
  group.parameter_bits = bits_of(options.parameters) + options.bits;
  if (high > low) {
    KERF_TRY(group.scale, stored_scale((high - low) / top, options.parameters));
  }
  group.zero =
      static_cast<int>(std::clamp(std::nearbyint(-low / group.scale), 0.0, static_cast<double>(top)));
  group.offset = -group.scale * *group.zero;
  explain(steps, "s", "(hi − lo) / (2^b − 1)", group.scale, "({:.6g} − ({:.6g})) / {}", high, low, top);
  explain(steps, "z", "round(−lo / s)", *group.zero, "round({:.6g})", -low / group.scale);
  choose_codes(group, numbers.x, options);
  return group;
}

Result<MappedGroup> fit_minimum(const Numbers& numbers, const MappingOptions& options, NumberRange range,
                                std::vector<Step>* steps) {
  const int top = (1 << options.bits) - 1;
  MappedGroup group;
  group.levels = integer_levels(0, top);
  group.parameter_bits = 2 * bits_of(options.parameters);
  KERF_TRY(group.offset, stored(range.low, options.parameters, "minimum"));
  if (range.high > range.low) {
    KERF_TRY(group.scale, stored_scale((range.high - range.low) / top, options.parameters));
  }
  explain(steps, "m", "lo", group.offset, "{:.6g}", range.low);
  explain(steps, "s", "(hi − lo) / (2^b − 1)", group.scale, "({:.6g} − ({:.6g})) / {}", range.high, range.low,
          top);
  choose_codes(group, numbers.x, options);
  return group;
}

}  // namespace kerf::mapping_grid

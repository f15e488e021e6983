// MSE search: the clipping range with the smallest Σ w |x − x̂|^p. p = 2 is the mean squared error; GPTQ and
// BRECQ search with p = 2.4, which minds large errors more.
// Source: Nagel et al., «A White Paper on Neural Network Quantization» (2021), §3.1; Frantar et al., GPTQ
// (2022).
#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/quantizers/mappings/range_search.h"

namespace kerf {
namespace {

using mapping_grid::NumberRange;

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  const bool symmetric = *options.symmetric;
  const double a = mapping_grid::absmax(numbers.x);
  if (a == 0) return mapping_grid::fit_clip(numbers, options, 0, steps);
  const auto [low, high] = std::minmax_element(numbers.x.begin(), numbers.x.end());
  const NumberRange whole =
      symmetric ? NumberRange{-a, a} : NumberRange{std::min(*low, 0.0), std::max(*high, 0.0)};
  const int top = symmetric ? (1 << options.bits) - 2 : (1 << options.bits) - 1;
  const auto cost = [&](NumberRange range) {
    if (range.low > 0 || range.high < 0 || !(range.high > range.low))
      return std::numeric_limits<double>::infinity();
    const auto scale = mapping_grid::stored_scale((range.high - range.low) / top, options.parameters);
    if (!scale) return std::numeric_limits<double>::infinity();
    const double zero =
        symmetric ? top / 2 : std::clamp(std::nearbyint(-range.low / *scale), 0.0, static_cast<double>(top));
    return mapping_grid::uniform_cost(numbers, options.power, *scale, 0.0, zero, top);
  };
  const NumberRange best = mapping_grid::search_range(whole, symmetric, cost);
  mapping_grid::explain(steps, symmetric ? "c" : "hi", "clip with the smallest Σ w |x − x̂|^p", best.high,
                        "{:.4g} · max, p = {:g}", whole.high > 0 ? best.high / whole.high : 0.0,
                        options.power);
  if (symmetric) return mapping_grid::fit_clip(numbers, options, best.high, steps);
  mapping_grid::explain(steps, "lo", "clip with the smallest Σ w |x − x̂|^p", best.low, "{:.4g} · min",
                        whole.low < 0 ? best.low / whole.low : 0.0);
  return mapping_grid::fit_zero_point(numbers, options, best, steps);
}

Result<MappedGroup> fit_unweighted(const Numbers& numbers, const MappingOptions& options,
                                   std::vector<Step>* steps) {
  return fit({numbers.x, {}}, options, steps);
}

}  // namespace

const Mapping mappings::mse{.name = "mse",
                            .summary = "the clipping range with the smallest error |x − x̂|^p",
                            .bits_min = 2,
                            .bits_max = 8,
                            .bits_default = 8,
                            .symmetry = Mapping::Symmetry::either_symmetric_first,
                            .fit = fit_unweighted};

const Mapping mappings::weighted_mse{.name = "weighted-mse",
                                     .summary = "the same, errors weighed by importance",
                                     .bits_min = 2,
                                     .bits_max = 8,
                                     .bits_default = 8,
                                     .symmetry = Mapping::Symmetry::either_symmetric_first,
                                     .needs_importance = true,
                                     .fit = fit};

}  // namespace kerf

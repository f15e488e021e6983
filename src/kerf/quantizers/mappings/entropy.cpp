// Entropy: symmetric, clipped where the histogram of magnitudes loses least (kl_threshold.h). Made for the
// activations of convolutional networks, long-tailed and many; with few numbers the histogram is mostly
// holes.
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/kl_threshold.h"
#include "kerf/quantizers/mappings/affine_range.h"

namespace kerf {
namespace {

constexpr std::size_t kBins = 2048;

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  const double largest = mapping_grid::absmax(numbers.x);
  if (largest == 0) return mapping_grid::fit_clip(numbers, options, 0, steps);
  std::vector<std::uint64_t> counts(kBins, 0);
  for (const double v : numbers.x)
    ++counts[std::min(kBins - 1, static_cast<std::size_t>(std::abs(v) / largest * kBins))];
  const std::size_t kept = kl_best_bins(counts, std::size_t{1} << (options.bits - 1)).value_or(kBins);
  // Keeping all bins means that nothing is to be clipped, so not half a bin beyond the largest either.
  const double clip = std::min((static_cast<double>(kept) + 0.5) * largest / kBins, largest);
  mapping_grid::explain(steps, "c", "(i + ½) max|x| / 2048, i bins have the smallest KL(P ‖ Q)", clip,
                        "({} + ½) · {:.6g} / 2048", kept, largest);
  return mapping_grid::fit_clip(numbers, options, clip, steps);
}

}  // namespace

const Mapping mappings::entropy{
    .name = "entropy",
    .summary = "symmetric, clipped where the histogram loses least (KL, TensorRT)",
    .bits_min = 2,
    .bits_max = 8,
    .bits_default = 8,
    .symmetry = Mapping::Symmetry::symmetric,
    .min_numbers = 2,
    .fit = fit};

}  // namespace kerf

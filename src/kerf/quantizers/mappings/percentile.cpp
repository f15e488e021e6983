// Percentile: the range holds a given share of the numbers, the rest is clipped. Symmetric: of the
// magnitudes; asymmetric: half of the share is cut off at each end. The bound is the smallest number with at
// least that share at or below it, so it is one of the numbers.
// Source: McKinstry et al. (2018); Wu et al., «Integer Quantization for Deep Learning Inference» (2020),
// §3.2.
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/mappings/affine_range.h"

namespace kerf {
namespace {

using mapping_grid::explain;

/// The smallest of the numbers with a share of at least `share` at or below it. Reorders them.
double quantile(std::vector<double>& numbers, double share) {
  const auto n = static_cast<double>(numbers.size());
  // 0.9999 · 10000 is a little above 9999 in binary64; the next whole number is not meant.
  const double rank = std::ceil(share * n * (1 - 1e-12));
  const auto place = static_cast<std::ptrdiff_t>(std::clamp(rank, 1.0, n)) - 1;
  std::nth_element(numbers.begin(), numbers.begin() + place, numbers.end());
  return numbers[static_cast<std::size_t>(place)];
}

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  std::vector<double> sorted(numbers.x.begin(), numbers.x.end());
  if (*options.symmetric) {
    for (double& v : sorted) v = std::abs(v);
    double clip = quantile(sorted, options.percentile / 100);
    // More zeros than the share allows: nothing but the maximum is left to go by.
    if (clip == 0) clip = mapping_grid::absmax(numbers.x);
    explain(steps, "c", "percentile p of |x|", clip, "p = {:g}", options.percentile);
    return mapping_grid::fit_clip(numbers, options, clip, steps);
  }
  const double cut = (100 - options.percentile) / 200;
  const double low = quantile(sorted, cut);
  const double high = quantile(sorted, 1 - cut);
  explain(steps, "lo", "percentile (100 − p) / 2 of x", low, "{:g}", 100 * cut);
  explain(steps, "hi", "percentile 100 − (100 − p) / 2 of x", high, "{:g}", 100 * (1 - cut));
  return mapping_grid::fit_zero_point(numbers, options, {low, high}, steps);
}

}  // namespace

const Mapping mappings::percentile{
    .name = "percentile",
    .summary = "the range of a share of the numbers (99.99 %), the rest clipped",
    .bits_min = 2,
    .bits_max = 8,
    .bits_default = 8,
    .symmetry = Mapping::Symmetry::either_symmetric_first,
    .fit = fit};

}  // namespace kerf

#include "kerf/calib/histogram_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/quantizers/kl_threshold.h"
#include "kerf/quantizers/mapping.h"

namespace kerf {
namespace {

constexpr std::string_view kWhere = "histogram";

double edge_of(std::size_t bin, RangeOptions::Edge edge) noexcept {
  return static_cast<double>(bin) + (edge == RangeOptions::Edge::upper ? 1 : 0);
}

Result<ActivationRange> by_percentile(const SignedHistogram& histogram, const RangeOptions& options) {
  if (!(options.percentile > 50 && options.percentile <= 100))
    return fail(ErrorKind::usage, std::string(kWhere),
                fmt::format("a percentile of {:g} is not above 50 and at most 100", options.percentile));
  if (options.symmetric) {
    const double clip =
        edge_of(*percentile_bin(histogram.magnitudes(), options.percentile), options.edge) * histogram.width;
    return ActivationRange{-clip, clip};
  }
  // Half of what is to be clipped at each end; the lower end is the upper end of the mirror image.
  const double percentile = 50 + options.percentile / 2;
  const auto half = static_cast<double>(histogram.half());
  const std::vector<std::uint64_t> mirrored(histogram.counts.rbegin(), histogram.counts.rend());
  const double high = edge_of(*percentile_bin(histogram.counts, percentile), options.edge) - half;
  const double low = half - edge_of(*percentile_bin(mirrored, percentile), options.edge);
  return ActivationRange{low * histogram.width, high * histogram.width};
}

Result<void> check_bits(int bits) {
  if (bits >= 2 && bits <= 8) return {};
  return fail(ErrorKind::usage, std::string(kWhere), fmt::format("{} bits are not from 2 to 8", bits));
}

Result<ActivationRange> by_entropy(const SignedHistogram& histogram, const RangeOptions& options) {
  KERF_CHECK_OK(check_bits(options.bits));
  if (!options.symmetric)
    return fail(ErrorKind::unsupported, std::string(kWhere),
                "the rule of entropy knows symmetric ranges only");
  std::vector<std::uint64_t> counts = histogram.magnitudes();
  while (counts.back() == 0) counts.pop_back();
  const auto n_bins = static_cast<double>(counts.size());
  const auto kept = kl_best_bins(counts, std::size_t{1} << (options.bits - 1));
  const double clip = (kept ? std::min(static_cast<double>(*kept) + 0.5, n_bins) : n_bins) * histogram.width;
  return ActivationRange{-clip, clip};
}

/// The range of the search for numbers, applied to the middles of the bins with the counts as weights.
Result<ActivationRange> by_mse(const SignedHistogram& histogram, const RangeOptions& options) {
  KERF_CHECK_OK(check_bits(options.bits));
  std::vector<double> x;
  std::vector<double> w;
  for (std::size_t b = 0; b < histogram.counts.size(); ++b) {
    if (histogram.counts[b] == 0) continue;
    x.push_back(histogram.lower_edge(b) + 0.5 * histogram.width);
    w.push_back(static_cast<double>(histogram.counts[b]));
  }
  MappingOptions mapping;
  mapping.bits = options.bits;
  mapping.symmetric = options.symmetric;
  mapping.parameters = ParameterType::f64;
  KERF_TRY(const MappedGroup group, map_group(mappings::weighted_mse, {x, w}, mapping));
  const auto last = static_cast<std::uint8_t>(group.levels->size() - 1);
  return ActivationRange{group.value_of(0), group.value_of(last)};
}

ActivationRange whole(const SignedHistogram& histogram) {
  std::size_t first = 0;
  std::size_t last = histogram.counts.size();
  while (histogram.counts[first] == 0) ++first;
  while (histogram.counts[last - 1] == 0) --last;
  return {histogram.lower_edge(first), histogram.lower_edge(last)};
}

}  // namespace

std::vector<std::uint64_t> SignedHistogram::magnitudes() const {
  std::vector<std::uint64_t> out(half());
  for (std::size_t b = 0; b < half(); ++b) out[b] = counts[half() + b] + counts[half() - 1 - b];
  return out;
}

std::optional<std::size_t> percentile_bin(std::span<const std::uint64_t> counts, double percentile) {
  double total = 0;
  for (const std::uint64_t count : counts) total += static_cast<double>(count);
  if (total == 0) return std::nullopt;
  // 0.999 · 1000 is a little above 999 in binary64; the next bin is not meant.
  const double wanted = percentile / 100 * total * (1 - 1e-12);
  double below = 0;
  for (std::size_t b = 0; b < counts.size(); ++b) {
    below += static_cast<double>(counts[b]);
    if (counts[b] != 0 && below >= wanted) return b;
  }
  return counts.size() - 1;
}

Result<ActivationRange> histogram_range(const SignedHistogram& histogram, const RangeOptions& options) {
  switch (options.rule) {
    case RangeOptions::Rule::percentile:
      return by_percentile(histogram, options);
    case RangeOptions::Rule::entropy:
      return by_entropy(histogram, options);
    case RangeOptions::Rule::mse:
      return by_mse(histogram, options);
    case RangeOptions::Rule::whole:
      break;
  }
  const ActivationRange range = whole(histogram);
  const double clip = std::max(std::abs(range.low), std::abs(range.high));
  return options.symmetric ? ActivationRange{-clip, clip} : range;
}

}  // namespace kerf

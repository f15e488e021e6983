#include "kerf/quantizers/kl_threshold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kerf/base/check.h"

namespace kerf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = 1e-4;

struct Bin {
  std::size_t place;
  double count;
};

/// The bins that are not empty: most are in the tail of a long-tailed histogram.
std::vector<Bin> filled_bins(std::span<const std::uint64_t> counts) {
  std::vector<Bin> bins;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) bins.push_back({i, static_cast<double>(counts[i])});
  return bins;
}

/// The divergence over `kept` bins that are filled, out of n_kept; `clipped` is the mass beyond.
double divergence(std::span<const Bin> kept, double clipped, std::size_t n_kept, std::size_t n_levels) {
  if (kept.empty()) return kInfinity;
  const std::size_t last = n_kept - 1;
  const bool last_is_filled = kept.back().place == last;
  // P has one filled bin more than Q if the clipped mass falls on an empty bin.
  const bool extra = clipped > 0 && !last_is_filled;
  const std::size_t n_filled_q = kept.size();
  const std::size_t n_filled_p = n_filled_q + (extra ? 1 : 0);
  const auto taken = [n_kept](std::size_t n_filled) {
    return kEpsilon * static_cast<double>(n_kept - n_filled) / static_cast<double>(n_filled);
  };
  const double taken_p = taken(n_filled_p);
  const double taken_q = taken(n_filled_q);
  if (taken_p >= 1 || taken_q >= 1) return kInfinity;

  double total_q = 0;
  for (const Bin& bin : kept) total_q += bin.count;
  const double total_p = total_q + clipped;

  // Moving mass within a histogram leaves its total alone.
  double sum = 0;
  const auto add = [&](double p, double q) { sum += p / total_p * std::log(p / total_p * (total_q / q)); };
  for (std::size_t i = 0; i < kept.size();) {
    const std::size_t level = kept[i].place * n_levels / n_kept;
    std::size_t end = i;
    double mass = 0;
    for (; end < kept.size() && kept[end].place * n_levels / n_kept == level; ++end) mass += kept[end].count;
    const double q = mass / static_cast<double>(end - i) - taken_q;
    for (; i < end; ++i) add(kept[i].count + (kept[i].place == last ? clipped : 0.0) - taken_p, q);
  }
  if (extra) add(clipped - taken_p, kEpsilon);
  const std::size_t n_empty = n_kept - n_filled_p;
  if (n_empty > 0) {
    const double p = kEpsilon / total_p;
    sum += static_cast<double>(n_empty) * p * std::log(p * (total_q / kEpsilon));
  }
  return sum;
}

}  // namespace

double kl_divergence(std::span<const std::uint64_t> counts, std::size_t n_levels,
                     std::size_t n_kept) noexcept {
  KERF_CHECK(n_levels > 0 && n_levels <= n_kept && n_kept <= counts.size());
  const std::vector<Bin> kept = filled_bins(counts.first(n_kept));
  double clipped = 0;
  for (const std::uint64_t count : counts.subspan(n_kept)) clipped += static_cast<double>(count);
  return divergence(kept, clipped, n_kept, n_levels);
}

std::optional<std::size_t> kl_best_bins(std::span<const std::uint64_t> counts, std::size_t n_levels) {
  const std::vector<Bin> bins = filled_bins(counts);
  double total = 0;
  for (const Bin& bin : bins) total += bin.count;
  std::optional<std::size_t> best;
  double smallest = kInfinity;
  std::size_t n_filled = 0;
  double inside = 0;
  for (std::size_t n_kept = n_levels; n_kept <= counts.size(); ++n_kept) {
    for (; n_filled < bins.size() && bins[n_filled].place < n_kept; ++n_filled)
      inside += bins[n_filled].count;
    const double kl = divergence(std::span(bins).first(n_filled), total - inside, n_kept, n_levels);
    if (kl < smallest) {
      smallest = kl;
      best = n_kept;
    }
  }
  return best;
}

}  // namespace kerf

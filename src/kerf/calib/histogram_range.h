// Ranges from counts of equally wide bins.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "kerf/calib/observer.h"

namespace kerf {

/// The first bin with a share of at least p / 100 in it and below; nothing if all are empty. With which edge
/// of it one goes on is a convention: the lower (NVIDIA) clips some of the share itself, the upper none.
[[nodiscard]] std::optional<std::size_t> percentile_bin(std::span<const std::uint64_t> counts,
                                                        double percentile);

/// Signed numbers: bin b of counts[2 · half] holds those in [(b − half) · width, (b − half + 1) · width).
struct SignedHistogram {
  std::span<const std::uint64_t> counts;
  double width = 0;

  [[nodiscard]] std::size_t half() const noexcept { return counts.size() / 2; }
  [[nodiscard]] double lower_edge(std::size_t bin) const noexcept {
    return (static_cast<double>(bin) - static_cast<double>(half())) * width;
  }
  /// Counts of magnitudes, half() of them. A number exactly on an edge below zero is counted one bin inward.
  [[nodiscard]] std::vector<std::uint64_t> magnitudes() const;
};

/// The range by the rule of the options; the histogram is not empty. Errors: usage (bits or percentile out of
/// range), unsupported (entropy without symmetry).
Result<ActivationRange> histogram_range(const SignedHistogram& histogram, const RangeOptions& options);

}  // namespace kerf

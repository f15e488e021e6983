// Where to clip so that the histogram after quantization tells most about the one before: the threshold with
// the smallest Kullback-Leibler divergence.
// Source: Migacz, «8-bit inference with TensorRT», GTC 2017; the smoothing is that of Apache MXNet's
// calibration.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace kerf {

/// KL(P ‖ Q) if the first `n_kept` bins are kept: P is those bins with everything beyond added to the last, Q
/// the same bins, without what is beyond, merged to n_levels and spread out evenly again over bins that are
/// not empty. Both are smoothed, on raw counts, by moving 1e-4 to every empty bin from those that are not.
/// Infinite where nothing is left to smooth. n_levels ≤ n_kept ≤ counts.size().
[[nodiscard]] double kl_divergence(std::span<const std::uint64_t> counts, std::size_t n_levels,
                                   std::size_t n_kept) noexcept;

/// The first n_kept ≥ n_levels with the smallest divergence; nothing if every one is infinite or there are
/// fewer bins than levels. Takes time in counts.size() · (bins that are not empty).
[[nodiscard]] std::optional<std::size_t> kl_best_bins(std::span<const std::uint64_t> counts,
                                                      std::size_t n_levels);

}  // namespace kerf

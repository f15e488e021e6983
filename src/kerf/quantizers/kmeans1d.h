// k-means of numbers on a line: at most k centres c that make Σ w (x − nearest c)² small.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

struct Clusters {
  std::vector<double> centre;  ///< ascending, at most k: fewer if there are fewer different numbers
  double cost = 0;             ///< Σ w (x − nearest centre)²
};

/// The global optimum, by dynamic programming over the sorted numbers: an optimal cluster is an interval, and
/// D[m][j] = min_i D[m−1][i] + cost(i, j), whose best i grows with j, so that divide and conquer needs
/// O(k n log n). Exact for up to 2^20 different numbers; beyond that neighbours are merged first, and the
/// centres improved on all numbers after that.
/// Weights are empty (all 1) or one per number, none negative; if all are zero they count as 1. n, k ≥ 1, and
/// every number is finite.
/// Source: Wang and Song, «Ckmeans.1d.dp» (2011); Wu (1991) for the monotone splits.
[[nodiscard]] Clusters kmeans_exact(std::span<const double> x, std::span<const double> weights,
                                    std::size_t k);

/// A local optimum, by Lloyd's alternation from the k quantiles; a centre that loses all its numbers moves
/// into the costliest cluster. The same requirements.
/// Source: Lloyd (1957/1982).
[[nodiscard]] Clusters kmeans_lloyd(std::span<const double> x, std::span<const double> weights,
                                    std::size_t k);

}  // namespace kerf

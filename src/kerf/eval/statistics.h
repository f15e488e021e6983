// Means, standard errors and quantiles of per-token figures.
#pragma once

#include <span>

namespace kerf {

struct Moments {
  double mean = 0;
  double standard_error = 0;  ///< √((E x² − (E x)²) / (n − 1)); 0 for fewer than two values
};

[[nodiscard]] Moments moments_of(std::span<const double> values) noexcept;

/// The f-quantile (0 ≤ f ≤ 1) of ascending values, linear between neighbours at f · (n − 1).
[[nodiscard]] double quantile(std::span<const double> ascending, double f) noexcept;

}  // namespace kerf

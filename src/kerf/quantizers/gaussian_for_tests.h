// The standard normal distribution for the tests of quantizers: a sample without luck, and exact errors.
#pragma once

#include <cmath>
#include <vector>

#include "kerf/quantizers/normal.h"

namespace kerf {

/// n numbers at the middles of n equally likely slices of N(0, 1).
inline std::vector<double> normal_slices(std::size_t n) {
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = normal_quantile((static_cast<double>(i) + 0.5) / static_cast<double>(n));
  return x;
}

/// ∫ (x − a)² φ(x) dx from b to c.
inline double squared_error_between(double a, double b, double c) {
  const auto phi = [](double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI); };
  const auto x_phi = [&](double x) { return std::isinf(x) ? 0.0 : x * phi(x); };
  const double mass = 0.5 * (std::erfc(b / M_SQRT2) - std::erfc(c / M_SQRT2));
  const double second = mass + x_phi(b) - x_phi(c);
  return second - 2 * a * (phi(b) - phi(c)) + a * a * mass;
}

/// Mean squared error of N(0, 1) on ascending levels, exact up to rounding.
inline double gaussian_mse(const std::vector<double>& level) {
  double sum = 0;
  for (std::size_t i = 0; i < level.size(); ++i) {
    const double from = i == 0 ? -INFINITY : 0.5 * (level[i - 1] + level[i]);
    const double to = i + 1 == level.size() ? INFINITY : 0.5 * (level[i] + level[i + 1]);
    sum += squared_error_between(level[i], from, to);
  }
  return sum;
}

}  // namespace kerf

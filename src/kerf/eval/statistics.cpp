#include "kerf/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace kerf {

Moments moments_of(std::span<const double> values) noexcept {
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  Moments moments;
  for (const double value : values) moments.mean += value / n;
  double squares = 0;
  for (const double value : values) squares += (value - moments.mean) * (value - moments.mean);
  if (values.size() > 1) moments.standard_error = std::sqrt(squares / n / (n - 1));
  return moments;
}

double quantile(std::span<const double> ascending, double f) noexcept {
  if (ascending.empty()) return 0;
  const double position = f * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  const double part = position - static_cast<double>(below);
  return (1 - part) * ascending[below] + part * ascending[above];
}

}  // namespace kerf

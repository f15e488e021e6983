#include "kerf/quantizers/own_vectors.h"

#include <algorithm>
#include <cmath>

namespace kerf {
namespace {

constexpr double kTolerance = 0x1p-18;

/// What the numbers of a cell can be, as magnitudes under a scale of one.
std::vector<double> magnitudes_of(std::span<const float> levels, double shift) {
  std::vector<double> found;
  for (const double level : levels)
    for (const double magnitude : {std::fabs(level - shift), std::fabs(level + shift)})
      found.push_back(magnitude);
  std::sort(found.begin(), found.end());
  return found;
}

bool is_near(const std::vector<double>& sorted, double value) noexcept {
  const auto above = std::lower_bound(sorted.begin(), sorted.end(), value);
  const double slack = kTolerance * sorted.back();
  return (above != sorted.end() && *above - value <= slack) ||
         (above != sorted.begin() && value - above[-1] <= slack);
}

/// The scales under which all n numbers have such magnitudes.
std::vector<double> scales_of(const std::vector<double>& magnitudes, const float* x, std::size_t n) {
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max<double>(largest, std::fabs(x[i]));
  if (largest == 0) return {};
  std::vector<double> scales;
  for (const double magnitude : magnitudes) {
    const double scale = largest / magnitude;
    if (magnitude > 0 &&
        std::all_of(x, x + n, [&](float v) { return is_near(magnitudes, std::fabs(v) / scale); }))
      scales.push_back(scale);
  }
  return scales;
}

/// That of these scales which is a multiple by one of the multipliers; 0 if none is.
double multiple_of(double factor, std::span<const float> multipliers, const std::vector<double>& scales) {
  for (const double scale : scales)
    for (const float multiplier : multipliers)
      if (std::fabs(factor * multiplier - scale) <= kTolerance * scale) return scale;
  return 0;
}

}  // namespace

std::vector<OwnFactor> own_factors(const VectorGrid& grid, std::span<const float> levels, const float* x,
                                   std::size_t n) {
  const std::size_t group_size = grid.group_cells * VectorGrid::kCell;
  const std::vector<double> magnitudes = magnitudes_of(levels, grid.shift);
  std::vector<std::vector<double>> scales;
  std::size_t fewest = 0;
  for (std::size_t i = 0; i < n; i += group_size) {
    scales.push_back(scales_of(magnitudes, x + i, std::min(group_size, n - i)));
    if (scales.back().empty()) return {};
    if (scales.back().size() < scales[fewest].size()) fewest = scales.size() - 1;
  }
  std::vector<OwnFactor> found;
  for (const double scale : scales[fewest])
    for (const float multiplier : grid.multipliers) {
      OwnFactor own{static_cast<float>(scale / multiplier), {}};
      for (const auto& of_group : scales) {
        const double multiple = multiple_of(scale / multiplier, grid.multipliers, of_group);
        if (multiple == 0) break;
        own.scale.push_back(static_cast<float>(multiple));
      }
      if (own.scale.size() == scales.size()) found.push_back(std::move(own));
    }
  return found;
}

}  // namespace kerf

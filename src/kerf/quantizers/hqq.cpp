#include "kerf/quantizers/hqq.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/quantizers/panel.h"

namespace kerf {
namespace {

/// Codes for one zero point, as numbers, and the mean error that they leave. inverse is 1 / scale.
double choose_numbers(std::span<const float> w, double inverse, double zero, double highest,
                      std::vector<double>& codes) {
  double error = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    codes[i] = std::clamp(std::nearbyint(w[i] * inverse + zero), 0.0, highest);
    error += std::fabs(w[i] - (codes[i] - zero) / inverse);
  }
  return error / static_cast<double>(w.size());
}

}  // namespace

double hqq_shrink(double x, double p, double beta) noexcept {
  const double size = std::fabs(x);
  if (size == 0) return 0;
  return std::copysign(std::max(0.0, size - std::pow(size, p - 1) / beta), x);
}

HqqGrid hqq_grid(std::span<const float> w, std::size_t n_levels, const HqqOptions& options) noexcept {
  KERF_CHECK(!w.empty() && n_levels >= 2);
  const auto [lowest, highest] = std::minmax_element(w.begin(), w.end());
  const double range = static_cast<double>(*highest) - *lowest;
  if (!(range > 0)) return {0.0, *lowest, 0.0};
  const auto last = static_cast<double>(n_levels - 1);
  const double inverse = last / range;
  std::vector<double> codes(w.size());
  double zero = -*lowest * inverse;
  double best_zero = zero;
  double least = choose_numbers(w, inverse, zero, last, codes);
  double beta = options.beta;
  for (int step = 0; step < options.max_steps; ++step, beta *= options.growth) {
    // What is left after shrinking counts as an outlier that the zero point need not explain.
    double sum = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double outlier = hqq_shrink(w[i] - (codes[i] - zero) / inverse, options.p, beta);
      sum += codes[i] - (w[i] - outlier) * inverse;
    }
    zero = sum / static_cast<double>(w.size());
    const double error = choose_numbers(w, inverse, zero, last, codes);
    if (!(error < least)) break;
    least = error;
    best_zero = zero;
  }
  return {1.0 / inverse, -best_zero / inverse, least};
}

bool takes_hqq(const Format& format) noexcept {
  const Grid* grid = format.grid;
  return grid != nullptr && format.row_scale == nullptr && grid->has_offset && grid->uniform &&
         !grid->zero_point && grid->offset_sign == Grid::Sign::any;
}

void quantize_row_hqq(const Format& format, const float* x, std::uint8_t* dst, std::size_t n,
                      const HqqOptions& options) noexcept {
  KERF_CHECK(takes_hqq(format) && format.fits(n));
  const Grid& grid = *format.grid;
  const Levels levels(grid);
  const std::size_t group_size = format.block_size / grid.n_groups;
  // The end of a last block that the row does not fill repeats its last number: the range stays.
  std::vector<float> row(x, x + n);
  row.resize(round_up(n, format.block_size), row.back());
  for (std::size_t i = 0; i < row.size(); i += format.block_size, dst += format.block_bytes) {
    float scale[Grid::kMaxGroups];
    float offset[Grid::kMaxGroups];
    for (std::size_t g = 0; g < grid.n_groups; ++g) {
      const HqqGrid found = hqq_grid({&row[i + g * group_size], group_size}, grid.levels.size(), options);
      scale[g] = static_cast<float>(found.scale);
      offset[g] = static_cast<float>(found.offset - levels.lo() * found.scale);
    }
    grid.store_parameters(scale, offset, dst);
    std::uint8_t codes[Grid::kMaxBlock];
    choose_codes(levels, &row[i], group_size, grid.n_groups, scale, offset, codes);
    grid.store_codes(codes, dst);
  }
}

}  // namespace kerf

#include "kerf/quantizers/normal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "kerf/base/check.h"

namespace kerf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double density(double x) noexcept {
  return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
}

/// The share above x.
double upper_tail(double x) noexcept {
  return 0.5 * std::erfc(x / std::numbers::sqrt2);
}

/// The mass between a and b, with nothing cancelled in the tails.
double mass(double a, double b) noexcept {
  return a + b > 0 ? upper_tail(a) - upper_tail(b) : upper_tail(-b) - upper_tail(-a);
}

/// Centre of mass of the distribution between a and b, and how it moves with each.
struct Centroid {
  double value, by_a, by_b;
};

Centroid centroid(double a, double b) noexcept {
  const double p = mass(a, b);
  const double value = (density(a) - density(b)) / p;
  return {value, std::isinf(a) ? 0 : density(a) * (value - a) / p,
          std::isinf(b) ? 0 : density(b) * (b - value) / p};
}

/// One step of Newton's method for level[i] = centroid(midpoints around it), a tridiagonal system; the
/// largest change.
double newton_step(std::vector<double>& level) {
  const std::size_t n = level.size();
  std::vector<double> upper(n);
  std::vector<double> change(n);
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Centroid c = centroid(i == 0 ? -kInfinity : 0.5 * (level[i - 1] + level[i]),
                                i + 1 == n ? kInfinity : 0.5 * (level[i] + level[i + 1]));
    // f = level − centroid = 0, row i: [below, diagonal, above].
    const double below = -0.5 * c.by_a;
    const double above = -0.5 * c.by_b;
    const double pivot = 1 - 0.5 * (c.by_a + c.by_b) - (i == 0 ? 0 : below * upper[i - 1]);
    upper[i] = above / pivot;
    change[i] = (c.value - level[i] - (i == 0 ? 0 : below * change[i - 1])) / pivot;
  }
  for (std::size_t i = n; i-- > 0;) {
    if (i + 1 < n) change[i] -= upper[i] * change[i + 1];
    largest = std::max(largest, std::abs(change[i]));
  }
  for (std::size_t i = 0; i < n; ++i) level[i] += change[i];
  return largest;
}

}  // namespace

double normal_quantile(double p) noexcept {
  if (p == 0.5) return 0;
  if (p < 0.5) {
    // By bisection to within Newton's reach, from a bracket that holds every binary64 p.
    double low = -40;
    double high = 0;
    for (int i = 0; i < 12; ++i) {
      const double middle = 0.5 * (low + high);
      (upper_tail(-middle) < p ? low : high) = middle;
    }
    double x = 0.5 * (low + high);
    for (int i = 0; i < 20; ++i) {
      const double step = (upper_tail(-x) - p) / density(x);
      x -= step;
      if (std::abs(step) <= 1e-16 * std::abs(x)) break;
    }
    return x;
  }
  return -normal_quantile(1 - p);
}

std::vector<double> normal_levels(std::size_t n) {
  KERF_CHECK(n >= 1 && n <= 256);
  std::vector<double> level(n);
  for (std::size_t i = 0; i < n; ++i)
    level[i] = std::numbers::sqrt3 * normal_quantile((static_cast<double>(i) + 0.5) / static_cast<double>(n));
  for (int i = 0; i < 50 && newton_step(level) > 1e-13; ++i) {
  }
  // The distribution is symmetric, and so are the levels, to the last bit.
  for (std::size_t i = 0; i < n / 2; ++i) {
    const double magnitude = 0.5 * (level[n - 1 - i] - level[i]);
    level[i] = -magnitude;
    level[n - 1 - i] = magnitude;
  }
  if (n % 2 == 1) level[n / 2] = 0;
  return level;
}

std::vector<double> normal_float_levels(int bits) {
  KERF_CHECK(bits >= 2 && bits <= 8);
  const int half = 1 << (bits - 1);
  // The mean of where the two sides would end by themselves. bitsandbytes wrote 0.9677083 for 4 bits, with
  // seven digits, and computed in binary32. Its table is the one in all files: to the last bit it is what
  // these steps give, and differs from that of exact quantiles in the seventh digit.
  const double exact = 1 - 0.5 * (1.0 / (4 * half - 2) + 1.0 / (4 * half));
  const auto outer = static_cast<float>(std::floor(1e7 * exact) / 1e7);
  const auto quantile = [](float p) { return static_cast<float>(normal_quantile(static_cast<double>(p))); };
  std::vector<double> level{0.0};
  // The quantiles outer … 0.5 without the last, evenly spaced, counted from the nearer end.
  const auto add_side = [&](int n, float sign) {
    const float step = (0.5F - outer) / static_cast<float>(n);
    for (int i = 0; i < n; ++i) {
      const float p =
          i < (n + 1) / 2 ? outer + step * static_cast<float>(i) : 0.5F - step * static_cast<float>(n - i);
      level.push_back(static_cast<double>(sign * quantile(p) / quantile(outer)));
    }
  };
  add_side(half, 1.0F);
  add_side(half - 1, -1.0F);
  std::sort(level.begin(), level.end());
  return level;
}

}  // namespace kerf

#include "kerf/quantizers/kmeans1d.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "kerf/base/check.h"

namespace kerf {
namespace {

constexpr std::size_t kMostPoints = std::size_t{1} << 20;

struct Point {
  double x, w;
};

/// Sorted, equal numbers joined, those without weight left out.
std::vector<Point> sorted_points(std::span<const double> x, std::span<const double> weights) {
  double total = 0;
  for (const double w : weights) total += w;
  const bool weighted = total > 0;
  std::vector<Point> points;
  points.reserve(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!weighted || weights[i] > 0) points.push_back({x[i], weighted ? weights[i] : 1.0});
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  std::size_t n = 0;
  for (const Point& point : points) {
    if (n > 0 && points[n - 1].x == point.x)
      points[n - 1].w += point.w;
    else
      points[n++] = point;
  }
  points.resize(n);
  return points;
}

/// Joins runs of neighbours until few enough are left.
std::vector<Point> thinned(const std::vector<Point>& points) {
  const std::size_t run = (points.size() + kMostPoints - 1) / kMostPoints;
  std::vector<Point> out;
  for (std::size_t i = 0; i < points.size(); i += run) {
    double w = 0;
    double wx = 0;
    for (std::size_t j = i; j < std::min(points.size(), i + run); ++j) {
      w += points[j].w;
      wx += points[j].w * (points[j].x - points[i].x);
    }
    out.push_back({points[i].x + wx / w, w});
  }
  return out;
}

/// Sums over the points before each place. Numbers are taken from their mean, or Q − S² / W would cancel.
class PrefixSums {
 public:
  explicit PrefixSums(const std::vector<Point>& points)
      : w_(points.size() + 1), s_(points.size() + 1), q_(points.size() + 1) {
    double w = 0;
    double wx = 0;
    for (const Point& p : points) {
      w += p.w;
      wx += p.w * (p.x - points[0].x);
    }
    mean_ = points[0].x + wx / w;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double d = points[i].x - mean_;
      w_[i + 1] = w_[i] + points[i].w;
      s_[i + 1] = s_[i] + points[i].w * d;
      q_[i + 1] = q_[i] + points[i].w * d * d;
    }
  }

  /// Σ w (x − centre)² over the points [i, j).
  [[nodiscard]] double cost(std::size_t i, std::size_t j) const noexcept {
    const double w = w_[j] - w_[i];
    const double s = s_[j] - s_[i];
    return w > 0 ? std::max(0.0, q_[j] - q_[i] - s * s / w) : 0.0;
  }
  [[nodiscard]] double centre(std::size_t i, std::size_t j) const noexcept {
    return mean_ + (s_[j] - s_[i]) / (w_[j] - w_[i]);
  }

 private:
  double mean_;
  std::vector<double> w_, s_, q_;
};

/// The first j points in m clusters, for one m after the other.
class Splitter {
 public:
  Splitter(const PrefixSums& sums, std::size_t n) : sums_(sums), n_(n), cost_(n + 1), next_(n + 1) {
    for (std::size_t j = 1; j <= n; ++j) cost_[j] = sums.cost(0, j);
  }

  void add_cluster() {
    from_.emplace_back(n_ + 1);
    const std::size_t m = from_.size() + 1;  // clusters from now on
    fill(m, n_, m - 1, n_ - 1);
    cost_.swap(next_);
  }

  [[nodiscard]] std::vector<std::size_t> bounds() const {
    std::vector<std::size_t> out{n_};
    for (std::size_t m = from_.size(); m-- > 0;) out.push_back(from_[m][out.back()]);
    out.push_back(0);
    std::reverse(out.begin(), out.end());
    return out;
  }

 private:
  /// Ends first … last, whose last cluster begins in [low, high].
  void fill(std::size_t first, std::size_t last, std::size_t low, std::size_t high) {
    if (first > last) return;
    const std::size_t j = first + (last - first) / 2;
    double smallest = std::numeric_limits<double>::infinity();
    std::size_t best = low;
    for (std::size_t i = low; i <= std::min(high, j - 1); ++i) {
      const double cost = cost_[i] + sums_.cost(i, j);
      if (cost < smallest) {
        smallest = cost;
        best = i;
      }
    }
    next_[j] = smallest;
    from_.back()[j] = static_cast<std::uint32_t>(best);
    if (j > first) fill(first, j - 1, low, best);
    fill(j + 1, last, best, high);
  }

  const PrefixSums& sums_;
  std::size_t n_;
  std::vector<double> cost_, next_;
  std::vector<std::vector<std::uint32_t>> from_;  // [m][j]: where the last of m + 2 clusters begins
};

/// Lloyd's alternation on intervals: cluster c holds the points [bound[c], bound[c + 1]).
class Lloyd {
 public:
  Lloyd(const std::vector<Point>& points, const PrefixSums& sums, std::vector<std::size_t> bounds)
      : points_(points), sums_(sums), bounds_(std::move(bounds)) {}

  void run() {
    constexpr int kMostRounds = 10000;
    for (int i = 0; i < kMostRounds && step(); ++i) {
    }
  }

  [[nodiscard]] Clusters clusters() const {
    Clusters out;
    for (std::size_t c = 0; c + 1 < bounds_.size(); ++c) {
      if (bounds_[c] == bounds_[c + 1]) continue;
      out.centre.push_back(sums_.centre(bounds_[c], bounds_[c + 1]));
      // Not from the prefix sums: they are for comparing, this is for telling.
      for (std::size_t i = bounds_[c]; i < bounds_[c + 1]; ++i) {
        const double d = points_[i].x - out.centre.back();
        out.cost += points_[i].w * d * d;
      }
    }
    return out;
  }

 private:
  bool step() {
    refill();
    std::vector<std::size_t> next = bounds_;
    for (std::size_t c = 1; c + 1 < bounds_.size(); ++c) {
      const double midpoint =
          0.5 * (sums_.centre(bounds_[c - 1], bounds_[c]) + sums_.centre(bounds_[c], bounds_[c + 1]));
      const auto above = std::upper_bound(points_.begin(), points_.end(), midpoint,
                                          [](double v, const Point& p) { return v < p.x; });
      next[c] = static_cast<std::size_t>(above - points_.begin());
    }
    if (next == bounds_) return false;
    bounds_ = std::move(next);
    return true;
  }

  /// Splits the costliest cluster in the middle for every empty one. There are at least as many points as
  /// clusters, so one with two points exists.
  void refill() {
    for (std::size_t c = 0; c + 1 < bounds_.size(); ++c) {
      if (bounds_[c] != bounds_[c + 1]) continue;
      double most = -1;
      std::size_t costliest = 0;
      for (std::size_t d = 0; d + 1 < bounds_.size(); ++d) {
        const double cost = sums_.cost(bounds_[d], bounds_[d + 1]);
        if (bounds_[d + 1] - bounds_[d] >= 2 && cost > most) {
          most = cost;
          costliest = d;
        }
      }
      const std::size_t middle = (bounds_[costliest] + bounds_[costliest + 1]) / 2;
      bounds_.erase(bounds_.begin() + static_cast<std::ptrdiff_t>(c));
      bounds_.insert(std::upper_bound(bounds_.begin(), bounds_.end(), middle), middle);
      c = static_cast<std::size_t>(-1);  // from the start: places have moved
    }
  }

  const std::vector<Point>& points_;
  const PrefixSums& sums_;
  std::vector<std::size_t> bounds_;
};

/// One centre per point.
Clusters each_its_own(const std::vector<Point>& points) {
  Clusters out;
  for (const Point& p : points) out.centre.push_back(p.x);
  return out;
}

std::vector<std::size_t> bounds_between(const std::vector<Point>& points, const std::vector<double>& centre) {
  std::vector<std::size_t> bounds{0};
  for (std::size_t c = 1; c < centre.size(); ++c) {
    const double midpoint = 0.5 * (centre[c - 1] + centre[c]);
    const auto above = std::upper_bound(points.begin(), points.end(), midpoint,
                                        [](double v, const Point& p) { return v < p.x; });
    bounds.push_back(static_cast<std::size_t>(above - points.begin()));
  }
  bounds.push_back(points.size());
  return bounds;
}

Clusters best_split(const std::vector<Point>& points, std::size_t k) {
  const PrefixSums sums(points);
  Splitter splitter(sums, points.size());
  for (std::size_t m = 1; m < k; ++m) splitter.add_cluster();
  return Lloyd(points, sums, splitter.bounds()).clusters();
}

}  // namespace

Clusters kmeans_exact(std::span<const double> x, std::span<const double> weights, std::size_t k) {
  KERF_CHECK(!x.empty() && k >= 1 && (weights.empty() || weights.size() == x.size()));
  const std::vector<Point> points = sorted_points(x, weights);
  if (points.size() <= k) return each_its_own(points);
  if (points.size() <= kMostPoints) return best_split(points, k);
  const Clusters rough = best_split(thinned(points), k);
  const PrefixSums sums(points);
  Lloyd lloyd(points, sums, bounds_between(points, rough.centre));
  lloyd.run();
  return lloyd.clusters();
}

Clusters kmeans_lloyd(std::span<const double> x, std::span<const double> weights, std::size_t k) {
  KERF_CHECK(!x.empty() && k >= 1 && (weights.empty() || weights.size() == x.size()));
  const std::vector<Point> points = sorted_points(x, weights);
  if (points.size() <= k) return each_its_own(points);
  const PrefixSums sums(points);
  std::vector<std::size_t> bounds;
  for (std::size_t c = 0; c <= k; ++c) bounds.push_back(c * points.size() / k);
  Lloyd lloyd(points, sums, std::move(bounds));
  lloyd.run();
  return lloyd.clusters();
}

}  // namespace kerf

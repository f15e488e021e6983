// Clusters against hand calculation and against every possible cut.
#include "kerf/quantizers/kmeans1d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/rng.h"
#include "kerf/quantizers/gaussian_for_tests.h"

namespace kerf {
namespace {

const std::vector<double> kEight{-1, -.9, -.2, 0, .1, .7, .8, 1.5};

void expect_clusters(const Clusters& clusters, double cost, const std::vector<double>& centre) {
  EXPECT_NEAR(clusters.cost, cost, 5e-8);
  ASSERT_EQ(clusters.centre.size(), centre.size());
  for (std::size_t i = 0; i < centre.size(); ++i) EXPECT_NEAR(clusters.centre[i], centre[i], 5e-8);
}

TEST(Kmeans, EightNumbers) {
  expect_clusters(kmeans_exact(kEight, {}, 2), 1.44, {-.4, 1});
  expect_clusters(kmeans_exact(kEight, {}, 3), .4316667, {-.95, -.0333333, 1});
  expect_clusters(kmeans_exact(kEight, {}, 4), .0566667, {-.95, -.0333333, .75, 1.5});
  const std::vector<double> weights{1, 1, 1, 1, 1, 1, 1, 10};
  expect_clusters(kmeans_exact(kEight, weights, 2), 2.0025, {-.4, 1.375});
  expect_clusters(kmeans_exact(kEight, weights, 3), .793, {-.95, .28, 1.5});
}

TEST(Kmeans, FewerNumbersThanCentres) {
  expect_clusters(kmeans_exact(std::vector<double>{2, 2, 1}, {}, 8), 0, {1, 2});
  expect_clusters(kmeans_lloyd(std::vector<double>{5}, {}, 3), 0, {5});
}

/// Every way to cut n sorted numbers into k runs.
double cost_by_trying(const std::vector<double>& x, const std::vector<double>& w, std::size_t first,
                      std::size_t k) {
  if (k == 0) return first == x.size() ? 0.0 : INFINITY;
  double best = first == x.size() ? 0.0 : INFINITY;
  for (std::size_t end = first + 1; end <= x.size(); ++end) {
    double sum_w = 0;
    double sum_wx = 0;
    for (std::size_t i = first; i < end; ++i) {
      sum_w += w[i];
      sum_wx += w[i] * x[i];
    }
    double cost = 0;
    for (std::size_t i = first; i < end; ++i)
      cost += w[i] * (x[i] - sum_wx / sum_w) * (x[i] - sum_wx / sum_w);
    best = std::min(best, cost + cost_by_trying(x, w, end, k - 1));
  }
  return best;
}

TEST(Kmeans, IsTheOptimumOfAllCuts) {
  Rng rng(11);
  for (int trial = 0; trial < 40; ++trial) {
    const std::size_t n = 2 + rng.below(11);
    std::vector<double> x(n);
    std::vector<double> w(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = 1000 + rng.normal();  // far from zero: a test of cancellation
      w[i] = 0.1 + rng.uniform();
    }
    std::sort(x.begin(), x.end());
    for (std::size_t k = 1; k <= 4; ++k) {
      const double optimum = cost_by_trying(x, w, 0, k);
      EXPECT_NEAR(kmeans_exact(x, w, k).cost, optimum, 1e-9);
      EXPECT_GE(kmeans_lloyd(x, w, k).cost, optimum - 1e-9);
    }
  }
}

TEST(Kmeans, OfMillionsMergesNeighboursFirst) {
  const std::vector<double> x = normal_slices((std::size_t{1} << 20) + 5);
  const Clusters clusters = kmeans_exact(x, {}, 4);
  EXPECT_NEAR(clusters.cost / static_cast<double>(x.size()), .1174818, 1e-5);
}

}  // namespace
}  // namespace kerf

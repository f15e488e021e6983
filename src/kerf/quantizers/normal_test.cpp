// Levels of Max (1960) and of NF4.
#include "kerf/quantizers/normal.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/quantizers/gaussian_for_tests.h"
#include "kerf/quantizers/kmeans1d.h"

namespace kerf {
namespace {

TEST(NormalLevels, AreMaxsOptima) {
  const struct {
    std::size_t n;
    double mse;
    std::vector<double> positive;
  } expected[] = {
      {2, .3633802, {.7978846}},
      {3, .190174, {1.2240064}},
      {4, .1174818, {.45278, 1.5104176}},
      {8, .0345478, {.2450942, .7560053, 1.3439093, 2.1519457}},
      {16, .0095010, {.128395, .3880483, .6567591, .9423405, 1.2562312, 1.6180464, 2.0690172, 2.7325896}},
      {32, .00250467, {}},
  };
  for (const auto& [n, mse, positive] : expected) {
    const std::vector<double> level = normal_levels(n);
    EXPECT_NEAR(gaussian_mse(level), mse, 1e-7) << n;
    for (std::size_t i = 0; i < positive.size(); ++i) {
      EXPECT_NEAR(level[n - positive.size() + i], positive[i], 5e-6) << n;
      EXPECT_EQ(level[positive.size() - 1 - i], -level[n - positive.size() + i]);
    }
  }
  EXPECT_LT(gaussian_mse(normal_levels(256)), gaussian_mse(normal_levels(255)));
}

TEST(NormalLevels, KmeansOfAFineSampleFindsThem) {
  const std::vector<double> x = normal_slices(100000);
  for (const std::size_t n : {2, 4, 8, 16}) {
    const Clusters clusters = kmeans_exact(x, {}, n);
    EXPECT_NEAR(clusters.cost / 1e5 / gaussian_mse(normal_levels(n)), 1, 2e-3);
  }
}

TEST(NormalQuantile, KnownValues) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-15);
  EXPECT_NEAR(normal_quantile(0.9677083), 1.84813096, 5e-9);
  EXPECT_NEAR(normal_quantile(1e-300), -37.0471, 1e-4);
  EXPECT_EQ(normal_quantile(0.25), -normal_quantile(0.75));
}

TEST(Nf4, LevelsAreThoseOfBitsandbytes) {
  const float expected[] = {-1.0F,
                            -0.6961928009986877F,
                            -0.5250730514526367F,
                            -0.39491748809814453F,
                            -0.28444138169288635F,
                            -0.18477343022823334F,
                            -0.09105003625154495F,
                            0.0F,
                            0.07958029955625534F,
                            0.16093020141124725F,
                            0.24611230194568634F,
                            0.33791524171829224F,
                            0.44070982933044434F,
                            0.5626170039176941F,
                            0.7229568362236023F,
                            1.0F};
  const double thresholds[] = {-.8480964, -.6106330, -.4599953, -.3396794, -.2346074,
                               -.1379117, -.0455250, .0397902,  .1202553,  .2035212,
                               .2920137,  .3893125,  .5016634,  .6427868,  .8614784};
  const std::vector<double> level = normal_float_levels(4);
  ASSERT_EQ(level.size(), 16U);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(static_cast<float>(level[i]), expected[i]) << i;
  for (std::size_t i = 0; i < 15; ++i)
    EXPECT_NEAR(0.5 * (level[i] + level[i + 1]), thresholds[i], 1.3e-7) << i;
}

TEST(Nf3, HasAZeroBothEndsAndOneMoreAbove) {
  const std::vector<double> level = normal_float_levels(3);
  ASSERT_EQ(level.size(), 8U);
  EXPECT_EQ(level[0], -1);
  EXPECT_EQ(level[3], 0);
  EXPECT_EQ(level[7], 1);
}

}  // namespace
}  // namespace kerf

// Ties, names, and luck that depends on the place.
#include "kerf/quantizers/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kerf {
namespace {

TEST(Rounding, TiesGoWhereTheRuleSays) {
  const std::vector<double> v{0.5, 1.5, 2.5, -0.5, -1.5, -2.5};
  const auto all = [&](RoundingMode rounding) {
    std::vector<double> out;
    for (const double t : v) out.push_back(round_by(rounding, t));
    return out;
  };
  EXPECT_EQ(all(RoundingMode::nearest_even), (std::vector<double>{0, 2, 2, 0, -2, -2}));
  EXPECT_EQ(all(RoundingMode::nearest_away), (std::vector<double>{1, 2, 3, -1, -2, -3}));
  EXPECT_EQ(all(RoundingMode::nearest_up), (std::vector<double>{1, 2, 3, 0, -1, -2}));
  EXPECT_EQ(all(RoundingMode::toward_zero), (std::vector<double>{0, 1, 2, 0, -1, -2}));
  EXPECT_EQ(all(RoundingMode::floor), (std::vector<double>{0, 1, 2, -1, -2, -3}));
  EXPECT_EQ(all(RoundingMode::ceil), (std::vector<double>{1, 2, 3, 0, -1, -2}));
  EXPECT_EQ(round_by(RoundingMode::nearest_up, 0.49999999999999994), 0);
}

TEST(Rounding, NamesReadBack) {
  for (const char* name :
       {"nearest-even", "nearest-away", "nearest-up", "toward-zero", "floor", "ceil", "stochastic"})
    EXPECT_EQ(name_of(find_rounding_mode(name).value()), name);
  EXPECT_FALSE(find_rounding_mode("nearest"));
}

TEST(Rounding, LuckIsTheNthNumberOfTheSeed) {
  for (const std::uint64_t seed : {0ULL, 7ULL, ~0ULL}) {
    Rng rng(seed);
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(uniform_at(seed, i), rng.uniform());
  }
}

TEST(Rounding, StochasticIsRightOnAverage) {
  constexpr int kDraws = 100000;
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double r = round_by(RoundingMode::stochastic, 2.3, uniform_at(42, i));
    ASSERT_TRUE(r == 2 || r == 3);
    sum += r;
    squares += r * r;
  }
  const double mean = sum / kDraws;
  const double sigma = std::sqrt(0.21 / kDraws);
  EXPECT_NEAR(mean, 2.3, 4 * sigma);
  EXPECT_NEAR(squares / kDraws - mean * mean, 0.21, 0.005);
}

}  // namespace
}  // namespace kerf

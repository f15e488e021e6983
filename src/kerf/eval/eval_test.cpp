#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/eval/logit_statistics.h"
#include "kerf/eval/statistics.h"

namespace kerf {
namespace {

// Hand-computed case: two rows of four logits.
TEST(LogitStatistics, KlAndProbabilityOfAKnownPair) {
  const float base[] = {2, 1, 0, -1};
  const float model[] = {1.8F, 1.1F, 0.2F, -1.2F};
  const PairScore pair = score_pair(model, base, 4, 0);
  EXPECT_NEAR(pair.kl, 0.0125138, 5e-8);
  EXPECT_NEAR(pair.base.probability, 0.6439143, 5e-8);
  EXPECT_NEAR(pair.model.probability - pair.base.probability, -0.0719199, 5e-8);
  EXPECT_EQ(pair.model.top, 0);
}

TEST(LogitStatistics, AgreesWithLongDoubleOnLongRows) {
  Rng rng(3);
  for (const std::size_t n : {1UL, 7UL, 8UL, 9UL, 1000UL, 49152UL}) {
    std::vector<float> base(n);
    std::vector<float> model(n);
    for (std::size_t i = 0; i < n; ++i) {
      base[i] = static_cast<float>(8 * rng.normal());
      model[i] = base[i] + static_cast<float>(0.1 * rng.normal());
    }
    long double base_sum = 0;
    long double model_sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      base_sum += std::exp(static_cast<long double>(base[i]));
      model_sum += std::exp(static_cast<long double>(model[i]));
    }
    long double kl = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const long double log_p = base[i] - std::log(base_sum);
      const long double log_q = model[i] - std::log(model_sum);
      kl += std::exp(log_p) * (log_p - log_q);
    }
    const auto token = static_cast<std::int32_t>(n / 2);
    const PairScore pair = score_pair(model.data(), base.data(), n, token);
    EXPECT_NEAR(pair.kl, static_cast<double>(kl), 1e-12) << n;
    EXPECT_NEAR(pair.model.nll, static_cast<double>(std::log(model_sum) - model[token]), 1e-12) << n;
    EXPECT_EQ(score_token(model.data(), n, token).nll, pair.model.nll);
  }
}

TEST(LogitStatistics, EqualRowsDivergeByNothing) {
  const float row[] = {-1000, 0, 88.5F, -3};
  EXPECT_EQ(score_pair(row, row, 4, 2).kl, 0);
}

TEST(LogitStatistics, NanIsSeen) {
  const float row[] = {0, std::nanf(""), 1};
  EXPECT_FALSE(std::isfinite(score_token(row, 3, 0).nll));
}

TEST(Statistics, PerplexityOfKnownLosses) {
  const std::vector<double> nll{2.1, .3, 5, 1.2, .05, 3.3, .9, 1.7};
  const Moments moments = moments_of(nll);
  EXPECT_NEAR(std::exp(moments.mean), 6.1641484, 5e-8);
  EXPECT_NEAR(moments.standard_error, 0.5835496, 5e-8);
}

TEST(Statistics, PairedDifferenceHasItsOwnError) {
  const std::vector<double> difference{.05, .01, -.1, .08, 0, .2, -.02, .03};
  const Moments moments = moments_of(difference);
  EXPECT_NEAR(moments.mean, 0.03125, 1e-12);
  EXPECT_NEAR(moments.standard_error, 0.0306150, 5e-8);
  EXPECT_NEAR(std::exp(moments.mean), 1.0317434, 5e-8);
}

TEST(Statistics, QuantilesInterpolate) {
  const std::vector<double> values{.01, .02, .03, .04, .05, .06, .07, .08, .09, .10};
  EXPECT_NEAR(quantile(values, 0.99), 0.0991, 1e-12);
  EXPECT_NEAR(quantile(values, 0.5), 0.055, 1e-12);
  EXPECT_EQ(quantile(values, 1), 0.10);
  EXPECT_EQ(quantile(std::vector<double>{3}, 0.9), 3);
}

}  // namespace
}  // namespace kerf

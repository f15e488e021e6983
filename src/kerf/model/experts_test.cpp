#include "kerf/model/experts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kerf {
namespace {

TEST(Routing, SlotsLieByExpertThenByToken) {
  // Probabilities 0.5, 0.3, 0.2 and 0.1, 0.6, 0.3.
  const std::vector<float> logits{std::log(5.0F), std::log(3.0F), std::log(2.0F),
                                  std::log(1.0F), std::log(6.0F), std::log(3.0F)};
  const Routing shares = route(logits, 2, 2, false);
  EXPECT_EQ(shares.first_slot, (std::vector<std::size_t>{0, 1, 3, 4}));
  EXPECT_EQ(shares.tokens, (std::vector<std::int32_t>{0, 0, 1, 1}));
  const std::vector<float> wanted{0.5F, 0.3F, 0.6F, 0.3F};
  const std::vector<float> normalized{5 / 8.0F, 3 / 8.0F, 6 / 9.0F, 3 / 9.0F};
  const Routing ones = route(logits, 2, 2, true);
  for (std::size_t slot = 0; slot < 4; ++slot) {
    EXPECT_NEAR(shares.weights[slot], wanted[slot], 1e-6) << slot;
    EXPECT_NEAR(ones.weights[slot], normalized[slot], 1e-6) << slot;
  }
}

TEST(Routing, OfEqualExpertsTheFirstAreTaken) {
  const Routing routing = route(std::vector<float>(5, 1.5F), 1, 2, true);
  EXPECT_EQ(routing.first_slot, (std::vector<std::size_t>{0, 1, 2, 2, 2, 2}));
  EXPECT_EQ(routing.weights, (std::vector<float>{0.5F, 0.5F}));
}

TEST(Routing, LogitsThatAreNotFiniteStillGiveAChoice) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Routing nan = route(std::vector<float>{NAN, 2.0F, NAN}, 1, 2, true);
  EXPECT_EQ(nan.n_tokens(1), 1U);
  EXPECT_EQ(nan.weights, (std::vector<float>{0.0F, 1.0F}));
  const Routing never = route(std::vector<float>(3, -kInfinity), 1, 2, false);
  EXPECT_NEAR(never.weights[0], 1 / 3.0F, 1e-6);
  EXPECT_EQ(route(std::vector<float>{0.0F, kInfinity}, 1, 1, false).n_tokens(1), 1U);
}

}  // namespace
}  // namespace kerf

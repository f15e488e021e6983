#include "kerf/model/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kerf {
namespace {

TEST(Rope, FrequenciesFallFromOneToTheBase) {
  const RopeFrequencies plain = rope_frequencies({.base = 100.0F}, 4, {});
  ASSERT_EQ(plain.per_pair.size(), 2U);
  EXPECT_FLOAT_EQ(plain.per_pair[0], 1.0F);
  EXPECT_FLOAT_EQ(plain.per_pair[1], 0.1F);
  const float factors[] = {2.0F, 8.0F};
  const RopeFrequencies scaled = rope_frequencies({.base = 100.0F, .factor = 5.0F}, 4, factors);
  EXPECT_FLOAT_EQ(scaled.per_pair[0], 0.1F);
  EXPECT_FLOAT_EQ(scaled.per_pair[1], 0.0025F);
}

TEST(Rope, TurnsPairsAndLeavesTheRest) {
  ThreadPool pool(1);
  RopeTable table;
  fill_rope_table(rope_frequencies({.base = 100.0F, .attention_factor = 1.5F}, 4, {}), 3, 2, table);
  const float c0 = 1.5F * std::cos(4.0F), s0 = 1.5F * std::sin(4.0F);
  const float c1 = 1.5F * std::cos(0.4F), s1 = 1.5F * std::sin(0.4F);
  // Two tokens (positions 3 and 4), one head of 6 of which 4 turn; a row is 8 long.
  std::vector<float> x = {9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8};
  rope(table, RopePairs::halves, x.data(), 2, 1, 6, 8, pool);
  EXPECT_NEAR(x[8], 1 * c0 - 3 * s0, 1e-5);
  EXPECT_NEAR(x[10], 1 * s0 + 3 * c0, 1e-5);
  EXPECT_NEAR(x[9], 2 * c1 - 4 * s1, 1e-5);
  EXPECT_NEAR(x[11], 2 * s1 + 4 * c1, 1e-5);
  EXPECT_EQ(std::vector<float>(x.begin() + 12, x.end()), (std::vector<float>{5, 6, 7, 8}));

  std::vector<float> y = {9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8};
  rope(table, RopePairs::neighbours, y.data(), 2, 1, 6, 8, pool);
  EXPECT_NEAR(y[8], 1 * c0 - 2 * s0, 1e-5);
  EXPECT_NEAR(y[9], 1 * s0 + 2 * c0, 1e-5);
  EXPECT_NEAR(y[10], 3 * c1 - 4 * s1, 1e-5);
  EXPECT_EQ(y[12], 5.0F);
}

}  // namespace
}  // namespace kerf

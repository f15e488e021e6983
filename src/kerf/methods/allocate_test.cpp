#include "kerf/methods/allocate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

using Items = std::vector<std::vector<Option>>;

/// Every combination.
double least_loss(const Items& items, std::uint64_t budget, std::size_t item = 0) {
  if (item == items.size()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Option& option : items[item])
    if (option.bytes <= budget)
      least = std::min(least, option.loss + least_loss(items, budget - option.bytes, item + 1));
  return least;
}

Items random_items(Rng& rng, std::size_t n_items, std::size_t n_options, std::uint64_t scale) {
  Items items(n_items);
  for (auto& options : items)
    for (std::size_t k = 0; k < n_options; ++k)
      options.push_back(
          {1 + static_cast<std::uint64_t>(rng.uniform() * static_cast<double>(scale)), rng.uniform()});
  return items;
}

TEST(Allocate, FindsWhatPricesAloneMiss) {
  // loss c·4^−bits, three tensors of 1, 2, 1 numbers: one price for a bit jumps from 13 bits to 10.
  Items items;
  for (const auto& [c, n] : {std::pair{10.0, 1U}, {3.0, 2U}, {1.0, 1U}}) {
    std::vector<Option> options;
    for (const unsigned bits : {2U, 3U, 4U}) options.push_back({n * bits, c * std::pow(4.0, -double(bits))});
    items.push_back(options);
  }
  const auto found = allocate(items, 12);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->chosen, (std::vector<std::size_t>{2, 1, 0}));
  EXPECT_DOUBLE_EQ(found->loss, 0.1484375);
  EXPECT_EQ(found->bytes, 12U);
  EXPECT_LE(found->lower_bound, found->loss);
}

TEST(Allocate, IsExactWhereSizesAllowIt) {
  Rng rng(3);
  for (int trial = 0; trial < 200; ++trial) {
    const Items items = random_items(rng, 5, 4, 40);
    const auto found = allocate(items, 90);
    const double least = least_loss(items, 90);
    if (!found) {
      EXPECT_TRUE(std::isinf(least));
      continue;
    }
    EXPECT_NEAR(found->loss, least, 1e-12);
    EXPECT_LE(found->lower_bound, least + 1e-12);
    EXPECT_LE(found->bytes, 90U);
  }
}

TEST(Allocate, LargeSizesStayNearTheBoundAndUseTheBudget) {
  Rng rng(4);
  Items items(200);
  for (auto& options : items) {
    const double n = 1e5 + 1e6 * rng.uniform();
    const double c = std::exp(4 * rng.normal());
    for (double bits = 1.5; bits < 9; bits += 0.25 + 0.01 * rng.uniform())
      options.push_back({static_cast<std::uint64_t>(n * bits / 8), n * c * std::pow(4.0, -bits)});
  }
  for (const std::uint64_t budget : {40'000'000ULL, 60'000'000ULL, 90'000'000ULL}) {
    const auto found = allocate(items, budget);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_LE(found->bytes, budget);
    EXPECT_GE(static_cast<double>(found->bytes), 0.99 * static_cast<double>(budget));
    EXPECT_LE(found->loss, 1.01 * found->lower_bound);
  }
}

TEST(Allocate, SaysWhatTheSmallestNeeds) {
  const auto found = allocate({{{10, 1}, {5, 2}}, {{7, 1}}}, 11);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::usage);
  EXPECT_NE(found.error().what.find("12"), std::string::npos) << found.error().what;
}

TEST(Allocate, AmpleBudgetTakesTheLeastLoss) {
  const auto found = allocate({{{10, 1}, {5, 2}, {20, 1}}, {{7, 3}}}, 1'000'000'000'000ULL);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->chosen, (std::vector<std::size_t>{0, 0}));
  EXPECT_DOUBLE_EQ(found->loss, 4);
}

}  // namespace
}  // namespace kerf

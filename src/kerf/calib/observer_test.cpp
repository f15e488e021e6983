// Every observer: data split at random and joined in any order and grouping is the same state; what is stored
// reads back; what is wrong is refused. Values are worked by hand, by NumPy or by torch.
#include "kerf/calib/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kerf/base/rng.h"
#include "kerf/calib/data_for_tests.h"
#include "kerf/calib/exact_sum.h"
#include "kerf/calib/histogram_range.h"

namespace kerf {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::unique_ptr<Observer> fed(const ObserverKind& kind, const std::vector<float>& x, std::size_t n_channels) {
  auto observer = kind.make();
  EXPECT_TRUE(observer->observe({x, n_channels, 0}));
  return observer;
}

class EveryObserver : public testing::TestWithParam<const ObserverKind*> {};

TEST_P(EveryObserver, AnySplitAndOrderIsTheSameState) {
  const Data data = random_data(3, 40, 6);
  const auto whole = GetParam()->make();
  for (std::size_t b = 0; b < data.batches.size(); ++b) feed(*whole, data, b);
  Rng rng(4);
  for (int trial = 0; trial < 30; ++trial) {
    // Batches in any order to a few observers …
    std::vector<std::size_t> order(data.batches.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    std::vector<std::unique_ptr<Observer>> parts(1 + rng.below(7));
    for (auto& part : parts) part = GetParam()->make();
    for (const std::size_t b : order) feed(*parts[rng.below(parts.size())], data, b);
    // … which are joined in pairs, any with any.
    while (parts.size() > 1) {
      const std::size_t from = rng.below(parts.size());
      std::swap(parts[from], parts.back());
      const std::size_t to = rng.below(parts.size() - 1);
      ASSERT_TRUE(parts[to]->merge(*parts.back()));
      parts.pop_back();
    }
    EXPECT_EQ(parts[0]->state(), whole->state());
  }
}

TEST_P(EveryObserver, ABatchInPartsIsTheSameState) {
  const Data data = random_data(5, 1, 4);
  std::vector<float> x;
  for (int i = 0; i < 8; ++i) x.insert(x.end(), data.batches[0].begin(), data.batches[0].begin() + 4);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= static_cast<float>(i);
  const auto whole = fed(*GetParam(), x, 4);
  const auto parts = GetParam()->make();
  for (std::size_t t = 0; t < 8; ++t) EXPECT_TRUE(parts->observe({std::span(x).subspan(4 * t, 4), 4, 0}));
  EXPECT_EQ(parts->state(), whole->state());
}

TEST_P(EveryObserver, AnEmptyOneChangesNothing) {
  const auto some = fed(*GetParam(), {1, -2, 3}, 3);
  const ObserverState before = some->state();
  EXPECT_TRUE(some->merge(*GetParam()->make()));
  EXPECT_EQ(some->state(), before);
  const auto none = GetParam()->make();
  EXPECT_TRUE(none->merge(*some));
  EXPECT_EQ(none->state(), before);
  EXPECT_TRUE(none->observe({}));
  EXPECT_EQ(none->state(), before);
}

TEST_P(EveryObserver, ZerosHaveNoSign) {
  const auto a = fed(*GetParam(), {0.0F, -0.0F}, 2);
  const auto b = fed(*GetParam(), {-0.0F, 0.0F}, 2);
  const auto bytes = [](const Observer& observer) {
    std::string out;
    for (const StateField& field : observer.state())
      std::visit([&](const auto& v) { out.append(reinterpret_cast<const char*>(v.data()), v.size() * 8); },
                 field.values);
    return out;
  };
  EXPECT_EQ(bytes(*a), bytes(*b));
}

TEST_P(EveryObserver, RefusesWhatIsNotFiniteAndStaysAsItWas) {
  const auto observer = fed(*GetParam(), {1, 2, 3, 4}, 2);
  const ObserverState before = observer->state();
  for (const float bad : {std::nanf(""), kInfinity, -kInfinity}) {
    const std::vector<float> x{5, 6, 7, bad};
    const auto result = observer->observe({x, 2, 9});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::numeric);
    EXPECT_NE(result.error().message().find("token 1, channel 1"), std::string::npos)
        << result.error().message();
  }
  EXPECT_EQ(observer->state(), before);
}

TEST_P(EveryObserver, ReadsItsStateBack) {
  for (const std::size_t n : {0, 1, 17}) {
    const Data data = random_data(n, n, 5);
    const auto observer = GetParam()->make();
    for (std::size_t b = 0; b < n; ++b) feed(*observer, data, b);
    const auto again = GetParam()->restore(observer->state());
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ((*again)->state(), observer->state());
    EXPECT_EQ(&(*again)->kind(), GetParam());
  }
}

/// Whatever a field is replaced by: refused, or a state that stores and reads back.
TEST_P(EveryObserver, SurvivesWrongStates) {
  const Data data = random_data(1, 5, 3);
  const auto observer = GetParam()->make();
  for (std::size_t b = 0; b < 5; ++b) feed(*observer, data, b);
  constexpr std::int64_t kIntegers[] = {0, 1, -1, 5, 4096, 1LL << 33, INT64_MAX, INT64_MIN};
  const double kNumbers[] = {0, -0.0, 1, -1, 1e300, std::nan(""), kInfinity, -kInfinity};
  Rng rng(2);
  for (int trial = 0; trial < 5000; ++trial) {
    ObserverState state = observer->state();
    StateField& field = state[rng.below(state.size())];
    if (rng.below(10) == 0)
      field.values = std::vector<double>(rng.below(4), kNumbers[rng.below(std::size(kNumbers))]);
    else if (rng.below(10) == 0)
      field.values = std::vector<std::int64_t>(rng.below(4), kIntegers[rng.below(std::size(kIntegers))]);
    else if (auto* integers = std::get_if<std::vector<std::int64_t>>(&field.values))
      rng.below(4) == 0 ? integers->resize(rng.below(5000))
                        : static_cast<void>((*integers)[rng.below(integers->size())] =
                                                kIntegers[rng.below(std::size(kIntegers))]);
    else if (auto* numbers = std::get_if<std::vector<double>>(&field.values))
      rng.below(4) == 0 ? numbers->resize(rng.below(10))
                        : static_cast<void>((*numbers)[rng.below(numbers->size())] =
                                                kNumbers[rng.below(std::size(kNumbers))]);
    const auto restored = GetParam()->restore(state);
    if (!restored) {
      EXPECT_EQ(restored.error().kind, ErrorKind::input);
      continue;
    }
    const auto again = GetParam()->restore((*restored)->state());
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->state(), (*restored)->state());
    static_cast<void>((*again)->ranges({}));
    static_cast<void>((*again)->importance());
    static_cast<void>((*again)->merge(*observer));
  }
}

TEST_P(EveryObserver, SaysWhenThereIsNothingToTell) {
  const auto observer = GetParam()->make();
  EXPECT_FALSE(observer->ranges({}));
  EXPECT_FALSE(observer->importance());
}

std::string test_name(const testing::TestParamInfo<const ObserverKind*>& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, EveryObserver,
                         testing::ValuesIn(all_observers().begin(), all_observers().end()), test_name);

// --- one by one ----------------------------------------------------------------------------------

ActivationRange range_of(const Observer& observer, const RangeOptions& options = {}) {
  const auto ranges = observer.ranges(options);
  EXPECT_TRUE(ranges) << (ranges ? "" : ranges.error().message());
  return ranges ? ranges->front() : ActivationRange{};
}

TEST(MinMax, RangesWithAndWithoutSymmetry) {
  const auto observer = fed(observers::min_max, {-1.5F, 0.25F, 1.0F}, 3);
  EXPECT_EQ(range_of(*observer).low, -1.5);
  EXPECT_EQ(range_of(*observer).high, 1.5);
  RangeOptions options;
  options.symmetric = false;
  EXPECT_EQ(range_of(*observer, options).high, 1.0);
  options.rule = RangeOptions::Rule::entropy;
  EXPECT_FALSE(observer->ranges(options));
}

TEST(MovingAverage, TwoBatchesAfterTheFirst) {
  const std::vector<float> batches[] = {{-1, 2}, {-2, 3}, {-1.5F, 2.5F}};
  RangeOptions options;
  options.symmetric = false;
  options.momentum = 0.1;
  const auto observer = observers::moving_average.make();
  // In another order than their numbers: it must not matter.
  for (const std::uint64_t b : {1, 0}) EXPECT_TRUE(observer->observe({batches[b], 2, b}));
  EXPECT_NEAR(range_of(*observer, options).low, -1.1, 1e-12);
  EXPECT_NEAR(range_of(*observer, options).high, 2.1, 1e-12);
  EXPECT_TRUE(observer->observe({batches[2], 2, 2}));
  EXPECT_NEAR(range_of(*observer, options).low, -1.14, 1e-12);
  EXPECT_NEAR(range_of(*observer, options).high, 2.14, 1e-12);
  options.momentum = 0;
  EXPECT_FALSE(observer->ranges(options));
}

TEST(ChannelAbsmax, OnePerChannel) {
  const auto observer = fed(observers::channel_absmax, {1, -2, 0.5F, -3, 1, 0.25F}, 3);
  const auto ranges = observer->ranges({});
  ASSERT_TRUE(ranges);
  ASSERT_EQ(ranges->size(), 3U);
  const double expected[] = {3, 2, 0.5};
  for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ((*ranges)[c].high, expected[c]);
  const std::vector<float> narrow{1, 2};
  EXPECT_FALSE(observer->observe({narrow, 2, 1}));
  EXPECT_FALSE(observer->merge(*fed(observers::channel_absmax, narrow, 2)));
}

TEST(SecondMoment, MeanSquares) {
  const auto observer = fed(observers::second_moment, {1, -2, 3, 0.5F}, 2);
  EXPECT_EQ(observer->importance()->mean_square, (std::vector<float>{5, 2.125}));
  EXPECT_EQ(observer->importance()->n_tokens, std::vector<double>{2});
  EXPECT_EQ(fed(observers::second_moment, {1e38F}, 1)->importance().error().kind, ErrorKind::numeric);
}

TEST(SecondMoment, IsExactWhereFloatingPointIsNot) {
  // 1e30² + 1 + … + 1e-20²: each on its own scale, none may be lost.
  std::vector<float> x{1e19F};
  for (int i = 0; i < 1000; ++i) x.push_back(1.0F);
  const auto up = fed(observers::second_moment, x, 1);
  const auto ones = fed(observers::second_moment, std::vector<float>(1000, 1.0F), 1);
  const auto large = fed(observers::second_moment, {1e19F}, 1);
  EXPECT_NE(up->state(), large->state());
  ASSERT_TRUE(ones->merge(*large));
  EXPECT_EQ(up->state(), ones->state());
}

TEST(ExactSquareSum, OfEveryMagnitude) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  constexpr float kHuge = std::numeric_limits<float>::max();
  for (const float x : {kTiny, 3 * kTiny, 1.17549435e-38F, 1e-20F, 0.1F, 1.0F, 3.0F, 1e20F, kHuge}) {
    ExactSquareSum sum;
    sum.add_square(x);
    sum.carry();
    EXPECT_EQ(sum.value(), static_cast<double>(x) * static_cast<double>(x)) << x;
  }
  ExactSquareSum sum;
  for (int i = 0; i < 1 << 20; ++i) sum.add_square(kHuge);
  sum.carry();
  EXPECT_EQ(sum.value(), std::ldexp(static_cast<double>(kHuge) * static_cast<double>(kHuge), 20));
}

TEST(Histogram, PercentilesOfFiveBins) {
  const std::vector<std::uint64_t> counts{50, 30, 15, 4, 1};
  EXPECT_EQ(percentile_bin(counts, 99), 3U);
  EXPECT_EQ(percentile_bin(counts, 99.9), 4U);
  EXPECT_EQ(percentile_bin(counts, 50), 0U);
  EXPECT_EQ(percentile_bin(counts, 100), 4U);
  EXPECT_FALSE(percentile_bin(std::vector<std::uint64_t>(5, 0), 99));
}

TEST(Histogram, EdgesOfThePercentile) {
  // The largest magnitude is just below 2048 · 2^0, so bins are 1 wide.
  std::vector<float> x(990, 10.5F);
  x.resize(1000, -2047.5F);
  const auto observer = fed(observers::histogram, x, 1);
  RangeOptions options;
  EXPECT_EQ(range_of(*observer).high, 2048);
  options.rule = RangeOptions::Rule::percentile;
  options.percentile = 99;
  EXPECT_EQ(range_of(*observer, options).high, 11);
  options.edge = RangeOptions::Edge::lower;
  EXPECT_EQ(range_of(*observer, options).high, 10);
  options.edge = RangeOptions::Edge::upper;
  options.symmetric = false;
  EXPECT_EQ(range_of(*observer, options).low, -2048);  // half a per cent off each end leaves the ten
  options.percentile = 97;
  EXPECT_EQ(range_of(*observer, options).low, 10);
}

TEST(Histogram, RulesClipATail) {
  Rng rng(6);
  std::vector<float> x(200000);
  for (float& v : x) v = static_cast<float>(rng.normal());
  x[0] = 40;
  const auto observer = fed(observers::histogram, x, 1);
  RangeOptions options;
  options.bits = 4;
  EXPECT_NEAR(range_of(*observer).high, 40, 0.1);
  options.rule = RangeOptions::Rule::mse;
  EXPECT_NEAR(range_of(*observer, options).high, 2.4739, 0.1);  // the optimum for N(0, 1)
  options.symmetric = false;
  EXPECT_NEAR(range_of(*observer, options).high - range_of(*observer, options).low, 15 * 0.33520, 0.2);
  options.symmetric = true;
  options.rule = RangeOptions::Rule::entropy;
  options.bits = 8;
  EXPECT_LT(range_of(*observer, options).high, 6);
  EXPECT_GT(range_of(*observer, options).high, 3);
  options.symmetric = false;
  EXPECT_FALSE(observer->ranges(options));
  options.symmetric = true;
  options.bits = 1;
  EXPECT_FALSE(observer->ranges(options));
}

}  // namespace
}  // namespace kerf

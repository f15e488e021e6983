// Mappings against worked vectors: papers, NumPy and hand calculation (binary64 unless said otherwise).
#include "kerf/quantizers/mapping.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kerf/base/rng.h"
#include "kerf/quantizers/gaussian_for_tests.h"

namespace kerf {
namespace {

const std::vector<double> kNine{0.34, 3.75, 5.64, 1.12, 2.7, -0.9, -4.7, 0.68, 1.43};

MappedGroup mapped(const Mapping& mapping, const std::vector<double>& x, MappingOptions options = {},
                   const std::vector<double>& importance = {}) {
  options.parameters = ParameterType::f64;
  auto group = map_group(mapping, {x, importance}, options);
  EXPECT_TRUE(group.has_value()) << mapping.name << ": " << (group ? "" : group.error().message());
  return group ? *group : MappedGroup{};
}

MappingOptions bits(int b) {
  MappingOptions options;
  options.bits = b;
  return options;
}

std::vector<int> numbers_of(const MappedGroup& group) {
  std::vector<int> out;
  for (const std::uint8_t code : group.codes) out.push_back(group.number_of(code));
  return out;
}

double mse_of(const MappedGroup& group, const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = x[i] - group.value_of(group.codes[i]);
    sum += error * error;
  }
  return sum / static_cast<double>(x.size());
}

double largest_error_of(const MappedGroup& group, const std::vector<double>& x) {
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    largest = std::max(largest, std::abs(x[i] - group.value_of(group.codes[i])));
  return largest;
}

void expect_values(const MappedGroup& group, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(group.codes.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(group.value_of(group.codes[i]), expected[i], tolerance) << "number " << i;
}

TEST(Rounding, StochasticCodesDependOnTheirPlaceOnly) {
  Rng rng(3);
  std::vector<double> x(512);
  for (double& v : x) v = rng.normal();
  MappingOptions options = bits(4);
  options.rounding = RoundingMode::stochastic;
  options.seed = 9;
  ThreadPool one(1);
  ThreadPool three(3);
  SilentProgress silent;
  const Granularity groups{Granularity::Kind::group, 32};
  const auto a = map_tensor(mappings::absmax, x, {}, 4, groups, options, one, silent);
  const auto b = map_tensor(mappings::absmax, x, {}, 4, groups, options, three, silent);
  options.seed = 10;
  const auto c = map_tensor(mappings::absmax, x, {}, 4, groups, options, one, silent);
  std::size_t n_different = 0;
  for (std::size_t g = 0; g < 16; ++g) {
    EXPECT_EQ(a->groups[g].codes, b->groups[g].codes);
    n_different += a->groups[g].codes != c->groups[g].codes;
  }
  EXPECT_EQ(n_different, 16U);
}

TEST(Rounding, GroupsDoNotShareTheirLuck) {
  std::vector<double> x(256, 0.5);
  for (std::size_t i = 0; i < x.size(); i += 32) x[i] = 7;  // the scale is 1 in every group and in all of it
  MappingOptions options = bits(4);
  options.rounding = RoundingMode::stochastic;
  ThreadPool pool(1);
  SilentProgress silent;
  const auto whole = map_tensor(mappings::absmax, x, {}, 1, {}, options, pool, silent);
  const auto groups =
      map_tensor(mappings::absmax, x, {}, 1, {Granularity::Kind::group, 32}, options, pool, silent);
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(groups->groups[i / 32].codes[i % 32], whole->groups[0].codes[i]);
  EXPECT_NE(groups->groups[0].codes, groups->groups[1].codes);
}

TEST(Absmax, OneWeightOfAGroup) {
  const MappedGroup group = mapped(mappings::absmax, {3.2, 0.1});
  EXPECT_NEAR(group.scale, 0.0251968504, 5e-11);
  EXPECT_NEAR(0.1 / group.scale, 3.96875, 1e-9);
  EXPECT_EQ(numbers_of(group), (std::vector<int>{127, 4}));
  EXPECT_NEAR(group.value_of(group.codes[1]), 0.1007874016, 5e-11);
  EXPECT_NEAR(group.value_of(group.codes[1]) - 0.1, 0.0007874, 5e-8);
  MappingOptions single;
  single.parameters = ParameterType::f32;
  const auto in_f32 = map_group(mappings::absmax, {std::vector<double>{3.2, 0.1}, {}}, single);
  EXPECT_EQ(in_f32->codes, group.codes);
  EXPECT_NEAR(in_f32->value_of(group.codes[1]), 0.1007874, 5e-8);
}

TEST(Absmax, NineNumbersInEightBits) {
  const MappedGroup group = mapped(mappings::absmax, kNine);
  EXPECT_NEAR(group.scale, 0.0444094488, 5e-11);
  EXPECT_EQ(numbers_of(group), (std::vector<int>{8, 84, 127, 25, 61, -20, -106, 15, 32}));
  expect_values(
      group, {0.3552756, 3.7303937, 5.64, 1.1102362, 2.7089764, -0.888189, -4.7074016, 0.6661417, 1.4211024},
      5e-8);
  EXPECT_NEAR(largest_error_of(group, kNine), 0.0196063, 5e-8);
  EXPECT_NEAR(mse_of(group, kNine), 1.39907e-4, 5e-10);
}

TEST(ZeroPoint, NineNumbersInEightBits) {
  const MappedGroup group = mapped(mappings::zero_point, kNine);
  EXPECT_NEAR(group.scale, 0.0405490196, 5e-11);
  EXPECT_NEAR(4.7 / group.scale, 115.909, 5e-4);
  EXPECT_EQ(group.zero, 116);
  EXPECT_EQ(numbers_of(group), (std::vector<int>{124, 208, 255, 144, 183, 94, 0, 133, 151}));
  expect_values(
      group,
      {0.3243922, 3.7305098, 5.6363137, 1.1353725, 2.7167843, -0.8920784, -4.7036863, 0.6893333, 1.4192157},
      5e-8);
  EXPECT_NEAR(largest_error_of(group, kNine), 0.0194902, 5e-8);
  EXPECT_NEAR(mse_of(group, kNine), 1.59427e-4, 5e-10);
  // Signed storage: everything 128 lower.
  EXPECT_NEAR(-128 + 4.7 / group.scale, -12.0909, 5e-5);
  // A zero point that is not rounded gives another code: 2.7 / s + 115.909 = 182.49.
  EXPECT_EQ(std::nearbyint(2.7 / group.scale + 4.7 / group.scale), 182);
}

TEST(ZeroPoint, KeepsTheLowEndOfPositiveNumbers) {
  const MappedGroup group = mapped(mappings::zero_point, {3.0, 4.0, 5.1});
  EXPECT_EQ(group.zero, 0);
  EXPECT_NEAR(group.scale, 5.1 / 255, 1e-15);
  EXPECT_EQ(numbers_of(group), (std::vector<int>{150, 200, 255}));
}

TEST(Absmax, FourConventionsOfFourBits) {
  const struct {
    const Mapping& mapping;
    double scale;
    std::vector<int> codes;
    double mse;
  } expected[] = {
      {mappings::absmax, 0.8057143, {0, 5, 7, 1, 3, -1, -6, 1, 2}, 0.0497365},
      {mappings::absmax_gptq, 0.752, {0, 5, 7, 1, 4, -1, -6, 1, 2}, 0.0616969},
      {mappings::absmax_full, -0.705, {0, -5, -8, -2, -4, 1, 7, -1, -2}, 0.0398889},
      {mappings::absmax_clipped, 0.705, {0, 5, 7, 2, 4, -1, -7, 1, 2}, 0.0951139},
  };
  for (const auto& [mapping, scale, codes, mse] : expected) {
    const MappedGroup group = mapped(mapping, kNine, bits(4));
    EXPECT_NEAR(group.scale, scale, 5e-8) << mapping.name;
    EXPECT_EQ(numbers_of(group), codes) << mapping.name;
    EXPECT_NEAR(mse_of(group, kNine), mse, 5e-8) << mapping.name;
  }
}

/// Whether some a > 0 and b put every a x + b within half of its code.
bool increasing_affine_map_exists(const std::vector<double>& x, const std::vector<int>& codes,
                                  unsigned chosen) {
  double least = 0;
  double most = INFINITY;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) {
      if (!(chosen >> i & 1) || !(chosen >> j & 1) || x[i] <= x[j]) continue;
      least = std::max(least, (codes[i] - codes[j] - 1) / (x[i] - x[j]));
      most = std::min(most, (codes[i] - codes[j] + 1) / (x[i] - x[j]));
    }
  return most > 0 && least <= most;
}

// docs/map.md: a table that one introduction prints for the nine numbers.
TEST(Affine, NoIncreasingMapGivesTheIntroductionsTable) {
  const std::vector<int> codes{64, 134, 217, 76, 119, 21, 3, 81, 99};
  const auto most_that_fit = [&](const std::vector<int>& table) {
    int most = 0;
    for (unsigned chosen = 0; chosen < 1U << 9; ++chosen)
      if (increasing_affine_map_exists(kNine, table, chosen))
        most = std::max(most, __builtin_popcount(chosen));
    return most;
  };
  EXPECT_EQ(most_that_fit(codes), 3);
  EXPECT_FALSE(increasing_affine_map_exists(kNine, codes, 1U << 3 | 1U << 7));  // 1.12 → 76, 0.68 → 81
  EXPECT_EQ(most_that_fit(numbers_of(mapped(mappings::zero_point, kNine))), 9);
}

TEST(MinMax, StoresTheMinimum) {
  const MappedGroup group = mapped(mappings::min_max, {1.0, 2.0, 2.5, 4.0}, bits(2));
  EXPECT_EQ(group.offset, 1.0);
  EXPECT_EQ(group.scale, 1.0);
  EXPECT_EQ(numbers_of(group), (std::vector<int>{0, 1, 2, 3}));  // 1.5 to the even 2
}

TEST(MinMax, ParametersAreRoundedBeforeCodesAreChosen) {
  MappingOptions options = bits(8);
  options.parameters = ParameterType::f16;
  const auto group = map_group(mappings::absmax, {std::vector<double>{3.2, -3.2}, {}}, options);
  EXPECT_NEAR(group->scale, 0.0251922607, 5e-11);  // 3.2 / s = 127.023, clipped after rounding
  EXPECT_EQ(numbers_of(*group), (std::vector<int>{127, -127}));
}

struct GaussianOptimum {
  int bits;
  double mid_rise_step, mid_rise_mse;
  double clip, symmetric_mse;
};

const GaussianOptimum kGaussianOptima[] = {
    {2, 0.99569, 0.118846, 1.2240, 0.190174},     {3, 0.58602, 0.0374397, 1.9523, 0.046860},
    {4, 0.33520, 0.0115429, 2.4739, 0.0128894},   {5, 0.18814, 0.00349521, 2.8987, 0.00369322},
    {6, 0.10406, 0.00104005, 3.2701, 0.00106929}, {8, 0.03076, 8.7686e-5, 3.9205, 8.8308e-5},
};

std::vector<double> uniform(std::size_t n, double step) {
  std::vector<double> level(n);
  for (std::size_t i = 0; i < n; ++i)
    level[i] = (static_cast<double>(i) - 0.5 * static_cast<double>(n - 1)) * step;
  return level;
}

TEST(GaussianOptima, AreWhatTheFormulaSaysAndMinima) {
  for (const GaussianOptimum& o : kGaussianOptima) {
    const std::size_t n = std::size_t{1} << o.bits;
    const auto rise = [&](double step) { return gaussian_mse(uniform(n, step)); };
    const auto tread = [&](double clip) {
      return gaussian_mse(uniform(n - 1, 2 * clip / static_cast<double>(n - 2)));
    };
    EXPECT_NEAR(rise(o.mid_rise_step) / o.mid_rise_mse, 1, 1e-4) << o.bits;
    EXPECT_NEAR(tread(o.clip) / o.symmetric_mse, 1, 1e-4) << o.bits;
    for (const double away : {0.99, 1.01}) {
      EXPECT_GT(rise(away * o.mid_rise_step), rise(o.mid_rise_step)) << o.bits;
      EXPECT_GT(tread(away * o.clip), tread(o.clip)) << o.bits;
    }
  }
}

TEST(GaussianOptima, SearchesReachThem) {
  const std::vector<double> x = normal_slices(100000);
  for (const GaussianOptimum& o : kGaussianOptima) {
    if (o.bits > 5) continue;  // the tail beyond the last of so many slices matters there
    const MappedGroup symmetric = mapped(mappings::mse, x, bits(o.bits));
    EXPECT_NEAR(mse_of(symmetric, x) / o.symmetric_mse, 1, 2e-3) << o.bits;
    EXPECT_NEAR(symmetric.value_of(symmetric.codes.back()) / o.clip, 1, 2e-2) << o.bits;
    if (o.bits > 4) continue;
    const MappedGroup affine = mapped(mappings::descent, x, bits(o.bits));
    EXPECT_NEAR(mse_of(affine, x) / o.mid_rise_mse, 1, 2e-3) << o.bits;
    EXPECT_NEAR(affine.scale / o.mid_rise_step, 1, 2e-2) << o.bits;
  }
}

TEST(Mse, MindsLargeErrorsMoreWithALargerPower) {
  const std::vector<double> x = normal_slices(5000);
  MappingOptions options = bits(3);
  double before = 0;
  for (const double power : {1.0, 2.0, 2.4, 4.0}) {
    options.power = power;
    const MappedGroup group = mapped(mappings::mse, x, options);
    const double clip = group.value_of(group.codes.back());
    EXPECT_GT(clip, before);
    before = clip;
  }
}

TEST(WeightedMse, FollowsTheWeights) {
  const std::vector<double> x{0.1, 0.2, -0.15, 0.25, 4.0};
  const MappedGroup small = mapped(mappings::weighted_mse, x, bits(3), {1, 1, 1, 1, 1e-9});
  EXPECT_LT(small.value_of(small.codes[4]), 0.3);
  const MappedGroup large = mapped(mappings::weighted_mse, x, bits(3), {1e-9, 1e-9, 1e-9, 1e-9, 1});
  EXPECT_NEAR(large.value_of(large.codes[4]), 4.0, 1e-3);
}

/// Σ w (x − x̂)².
double weighted_cost(const MappedGroup& group, const std::vector<double>& x, const std::vector<double>& w) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += w[i] * std::pow(x[i] - group.value_of(group.codes[i]), 2);
  return sum;
}

// Whole weights are repetitions: the parameters must be those of the numbers repeated.
TEST(Importance, IsTheSameAsRepetition) {
  Rng rng(21);
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<double> x(24);
    std::vector<double> w(24);
    std::vector<double> repeated;
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = rng.normal();
      w[i] = static_cast<double>(1 + rng.below(5));
      repeated.insert(repeated.end(), static_cast<std::size_t>(w[i]), x[i]);
    }
    for (const Mapping* mapping :
         {&mappings::descent, &mappings::kmeans, &mappings::ternary, &mappings::binary, &mappings::lloyd}) {
      const MappedGroup by_weight = mapped(*mapping, x, {}, w);
      const MappedGroup by_count = mapped(*mapping, repeated);
      // Sums in another order may end in another, equally good minimum of the search.
      EXPECT_NEAR(weighted_cost(by_weight, x, w),
                  mse_of(by_count, repeated) * static_cast<double>(repeated.size()), 1e-9)
          << mapping->name;
    }
  }
}

TEST(Percentile, IsTheSmallestNumberThatHoldsTheShare) {
  std::vector<double> x(1000);
  std::iota(x.begin(), x.end(), 1.0);
  MappingOptions options = bits(8);
  options.percentile = 99;
  EXPECT_NEAR(mapped(mappings::percentile, x, options).scale * 127, 990, 1e-9);
  options.percentile = 99.95;
  EXPECT_NEAR(mapped(mappings::percentile, x, options).scale * 127, 1000, 1e-9);
  options.percentile = 90;
  options.symmetric = false;
  for (double& v : x) v -= 500;  // −499 … 500, 5 % off each end
  const MappedGroup group = mapped(mappings::percentile, x, options);
  EXPECT_NEAR(group.scale * 255, 450 - -450, 1e-9);
}

TEST(Percentile, OfMostlyZerosFallsBackOnTheMaximum) {
  std::vector<double> x(100000, 0.0);
  x[7] = 2.0;
  MappingOptions options = bits(8);
  options.percentile = 99;
  const MappedGroup group = mapped(mappings::percentile, x, options);
  EXPECT_NEAR(group.value_of(group.codes[7]), 2.0, 1e-9);
}

TEST(Nf4, EightNumbers) {
  const MappedGroup group = mapped(mappings::nf4, {.1, -.3, .05, .9, -.9, .45, -.02, 0});
  EXPECT_EQ(numbers_of(group), (std::vector<int>{8, 4, 8, 15, 0, 12, 7, 7}));
  expect_values(group, {.0716223, -.2559972, .0716223, .9, -.9, .3966388, 0, 0}, 5.1e-8);
}

TEST(Log2, TwoRulesForTheSwitch) {
  const std::vector<double> x{1.0, .3, .36, .7072};
  expect_values(mapped(mappings::log2, x), {1, .25, .25, .5}, 0);
  expect_values(mapped(mappings::log2_geometric, x), {1, .25, .5, 1}, 0);
}

TEST(Apot, Levels) {
  const auto magnitudes = [](int b) {
    const MappedGroup group = mapped(mappings::apot, {1.0}, bits(b));
    const auto& level = group.levels->level;
    return std::vector<double>(level.begin() + static_cast<std::ptrdiff_t>(level.size() / 2), level.end());
  };
  const std::vector<double> three{0, .1, .2, .3, .4, .6, .8, 1};
  const std::vector<double> four{0,      1. / 48, 1. / 24, 1. / 16, 1. / 12, 1. / 8,   1. / 6, 3. / 16,
                                 1. / 4, 1. / 3,  3. / 8,  1. / 2,  2. / 3,  11. / 16, 3. / 4, 1};
  ASSERT_EQ(magnitudes(4).size(), 8U);
  ASSERT_EQ(magnitudes(5).size(), 16U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(magnitudes(4)[i], three[i], 1e-15);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_NEAR(magnitudes(5)[i], four[i], 1e-15);
  EXPECT_EQ(magnitudes(2), (std::vector<double>{0, 1}));
  EXPECT_EQ(magnitudes(3), (std::vector<double>{0, .25, .5, 1}));
  for (int b = 2; b <= 8; ++b) EXPECT_EQ(magnitudes(b).size(), std::size_t{1} << (b - 1));
}

TEST(Ternary, MeanAndLeastSquares) {
  const std::vector<double> w{.5, -1.2, .1, .9, -.3, .02};
  const MappedGroup mean = mapped(mappings::ternary_mean, w);
  EXPECT_NEAR(mean.scale, .5033333, 5e-8);
  EXPECT_EQ(numbers_of(mean), (std::vector<int>{1, -1, 0, 1, -1, 0}));
  // 1.2 and 0.9 alone: (2.1)² / 2 = 2.205; with 0.5: (2.6)² / 3 = 2.253; with 0.3: (2.9)² / 4 = 2.1025.
  const MappedGroup best = mapped(mappings::ternary, w);
  EXPECT_NEAR(best.scale, 2.6 / 3, 1e-15);
  EXPECT_EQ(numbers_of(best), (std::vector<int>{1, -1, 0, 1, 0, 0}));
}

TEST(Ternary, OfANormalDistribution) {
  const std::vector<double> x = normal_slices(100000);
  const double mean = std::sqrt(2 / M_PI);
  EXPECT_NEAR(gaussian_mse({-mean, 0, mean}), .2633818, 1e-7);
  EXPECT_NEAR(mse_of(mapped(mappings::ternary_mean, x), x), gaussian_mse({-mean, 0, mean}), 1e-4);
  EXPECT_NEAR(mse_of(mapped(mappings::ternary, x), x), .190174, 1e-4);
  EXPECT_NEAR(mse_of(mapped(mappings::binary, x), x), .3633802, 1e-4);
}

TEST(Ternary, IsTheOptimumOfAllThresholds) {
  Rng rng(5);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> x(1 + rng.below(20));
    for (double& v : x) v = rng.normal();
    double least = INFINITY;
    for (const double threshold : x) {
      double sum = 0;
      double n = 0;
      for (const double v : x)
        if (std::abs(v) >= std::abs(threshold)) {
          sum += std::abs(v);
          ++n;
        }
      double error = 0;
      for (const double v : x) {
        const double e = std::abs(v) >= std::abs(threshold) ? std::abs(v) - sum / n : v;
        error += e * e;
      }
      least = std::min(least, error);
    }
    EXPECT_NEAR(mse_of(mapped(mappings::ternary, x), x) * static_cast<double>(x.size()), least, 1e-12);
  }
}

TEST(Binary, SignOfZeroIsPositive) {
  const MappedGroup group = mapped(mappings::binary, {0.0, -1.0, 3.0});
  EXPECT_NEAR(group.scale, 4.0 / 3, 1e-15);
  expect_values(group, {4.0 / 3, -4.0 / 3, 4.0 / 3}, 1e-15);
}

TEST(SmallFloat, TiesGoToEvenMantissas) {
  // With 448 the scale is 1, and the values are those of the format itself.
  const MappedGroup e4m3 = mapped(mappings::fp8_e4m3, {448, .1, .3, 17, 19, 21, 1.0 / 3, 0x1p-10, -17});
  expect_values(e4m3, {448, .1015625, .3125, 16, 20, 20, .34375, 0, -16}, 0);
  EXPECT_EQ(e4m3.number_of(e4m3.codes[1]), 0x1D);
  const MappedGroup e5m2 = mapped(mappings::fp8_e5m2, {57344, .1, 500});
  expect_values(e5m2, {57344, .09375, 512}, 0);
  const MappedGroup e2m1 = mapped(mappings::fp4_e2m1, {6, .25, .75, 1.25, 1.75, 2.5, 3.5, 5, 5.01});
  expect_values(e2m1, {6, 0, 1, 1, 2, 2, 4, 4, 6}, 0);
}

}  // namespace
}  // namespace kerf

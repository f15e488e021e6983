// Holds every registered mapping to the contract of mapping.h, and rejects mappings that are wrong on
// purpose.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/rng.h"
#include "kerf/quantizers/mapping.h"
#include "kerf/quantizers/mappings/grid.h"

namespace kerf {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;

struct Case {
  std::string name;
  std::vector<double> x;
};

std::vector<double> drawn(std::uint64_t seed, std::size_t n, double (*draw)(Rng&)) {
  Rng rng(seed);
  std::vector<double> x(n);
  for (double& v : x) v = draw(rng);
  return x;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    const auto normal = [](Rng& rng) { return rng.normal(); };
    const auto cubed = [](Rng& rng) { return std::pow(rng.normal(), 3); };
    const auto positive = [](Rng& rng) { return 5 + rng.uniform(); };
    const auto halves = [](Rng& rng) { return 0.5 * static_cast<double>(rng.below(9)) - 2; };
    return std::vector<Case>{
        {"normal", drawn(1, 256, normal)},
        {"long-tailed", drawn(2, 300, cubed)},
        {"positive, far from zero", drawn(3, 64, positive)},
        {"ties", drawn(4, 128, halves)},
        {"few", {0.34, 3.75, 5.64, 1.12, 2.7, -0.9, -4.7, 0.68, 1.43}},
        {"two", {-1.0, 3.0}},
        {"zeros", std::vector<double>(32, 0.0)},
        {"one is not zero", {0, 0, 0, -2.5, 0, 0, 0, 0}},
        {"constant", std::vector<double>(16, 0.7)},
        {"constant, negative", std::vector<double>(16, -0.7)},
        {"one number", {1.5}},
        {"tiny", {1e-40, -2e-40, 3e-40, 1e-42}},
        {"half as large as binary32", {1.7e38, -1.7e38, 1e38, 0}},
    };
  }();
  return all;
}

std::vector<int> bits_of(const Mapping& mapping) {
  std::vector<int> out;
  for (int b = mapping.bits_min; b <= mapping.bits_max; ++b) out.push_back(b);
  return out;
}

std::vector<bool> symmetries_of(const Mapping& mapping) {
  std::vector<bool> out;
  for (const bool symmetric : {true, false}) {
    MappingOptions options;
    options.symmetric = symmetric;
    if (complete_options(mapping, options)) out.push_back(symmetric);
  }
  return out;
}

std::vector<double> weights_for(const Mapping& mapping, std::size_t n) {
  if (!mapping.needs_importance) return {};
  std::vector<double> w(n);
  for (std::size_t i = 0; i < n; ++i) w[i] = 1 + static_cast<double>(i % 3);
  return w;
}

double squared_error(const MappedGroup& group, const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += std::pow(x[i] - group.value_of(group.codes[i]), 2);
  return sum;
}

/// Ascending finite levels, finite parameters, codes that exist.
AssertionResult is_sound(const MappedGroup& group, std::size_t n, int bits) {
  if (group.codes.size() != n) return AssertionFailure() << group.codes.size() << " codes for " << n;
  const auto& level = group.levels->level;
  if (level.empty() || level.size() > std::size_t{1} << bits)
    return AssertionFailure() << level.size() << " levels in " << bits << " bits";
  for (std::size_t i = 1; i < level.size(); ++i)
    if (!(level[i] > level[i - 1])) return AssertionFailure() << "levels do not ascend at " << i;
  if (!std::isfinite(group.scale) || !std::isfinite(group.offset))
    return AssertionFailure() << "scale " << group.scale << ", offset " << group.offset;
  if (group.parameter_bits <= 0) return AssertionFailure() << "parameters cost nothing";
  for (const std::uint8_t code : group.codes) {
    if (code >= level.size()) return AssertionFailure() << "code " << int{code};
    if (!std::isfinite(group.value_of(code)))
      return AssertionFailure() << "code " << int{code} << " is no number";
  }
  return AssertionSuccess();
}

/// No other level is nearer than the chosen one, but for the last bit.
AssertionResult is_nearest(const MappedGroup& group, const std::vector<double>& x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double chosen = std::abs(x[i] - group.value_of(group.codes[i]));
    for (std::size_t c = 0; c < group.levels->size(); ++c) {
      const double other = std::abs(x[i] - group.value_of(static_cast<std::uint8_t>(c)));
      if (chosen > other * (1 + 1e-9) + 1e-12 * std::abs(x[i]))
        return AssertionFailure() << x[i] << " has code " << int{group.codes[i]} << ", but " << c
                                  << " is nearer";
    }
  }
  return AssertionSuccess();
}

AssertionResult handles(const Mapping& mapping, const Case& c, const MappingOptions& options) {
  const std::vector<double> weights = weights_for(mapping, c.x.size());
  const auto group = map_group(mapping, {c.x, weights}, options);
  if (!group) {
    if (c.x.size() < mapping.min_numbers) return AssertionSuccess();
    return AssertionFailure() << group.error().message();
  }
  if (auto sound = is_sound(*group, c.x.size(), options.bits); !sound) return sound;
  if (!mapping.nearest) return AssertionSuccess();
  if (auto nearest = is_nearest(*group, c.x); !nearest) return nearest;
  const auto [low, high] = std::minmax_element(c.x.begin(), c.x.end());
  const double span = std::max(*high, 0.0) - std::min(*low, 0.0);
  for (std::size_t i = 0; i < c.x.size(); ++i)
    if (std::abs(c.x[i] - group->value_of(group->codes[i])) > span)
      return AssertionFailure() << c.x[i] << " became " << group->value_of(group->codes[i]);
  return AssertionSuccess();
}

AssertionResult handles_everything(const Mapping& mapping) {
  for (const Case& c : cases())
    for (const int bits : bits_of(mapping))
      for (const bool symmetric : symmetries_of(mapping))
        for (const ParameterType type : {ParameterType::f64, ParameterType::f32}) {
          MappingOptions options;
          options.bits = bits;
          options.symmetric = symmetric;
          options.parameters = type;
          if (!complete_options(mapping, options)) continue;
          if (auto result = handles(mapping, c, options); !result)
            return result << "; «" << c.name << "», " << bits << " bits, " << name_of(type)
                          << (symmetric ? ", symmetric" : ", asymmetric");
        }
  return AssertionSuccess();
}

/// Whatever is not finite is refused, with its place.
AssertionResult refuses_what_is_no_number(const Mapping& mapping) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -1e39}) {
    const std::vector<double> x{1, 2, bad, 3};
    const auto group = map_group(mapping, {x, weights_for(mapping, 4)}, {});
    if (group) return AssertionFailure() << bad << " is taken";
    if (group.error().kind != ErrorKind::numeric) return AssertionFailure() << group.error().message();
    if (group.error().what.find("number 2") == std::string::npos)
      return AssertionFailure() << "place not told: " << group.error().message();
  }
  return AssertionSuccess();
}

/// By the distortion-rate function of N(0, 1) no quantizer of rate R has less than 2^(−2R). The rate is that
/// of the levels, which is at most that of the bits; a finite sample may be mapped a little better than its
/// source.
AssertionResult keeps_to_shannons_bound(const Mapping& mapping) {
  static const std::vector<double> x = drawn(8, 20000, [](Rng& rng) { return rng.normal(); });
  for (const int bits : bits_of(mapping)) {
    if (bits > 6 && mapping.bits_min != bits) continue;
    MappingOptions options;
    options.bits = bits;
    const auto group = map_group(mapping, {x, weights_for(mapping, x.size())}, options);
    if (!group) return AssertionFailure() << group.error().message();
    const double mse = squared_error(*group, x) / static_cast<double>(x.size());
    const auto n_levels = static_cast<double>(group->levels->size());
    if (mse < 0.98 / (n_levels * n_levels))
      return AssertionFailure() << bits << " bits: error " << mse << " is below the bound";
    // Nor more than if all had become zero; one bit from minimum to maximum alone does worse.
    if (bits > 1 && mse > 1) return AssertionFailure() << bits << " bits: error " << mse;
  }
  return AssertionSuccess();
}

/// Nothing with as many levels beats the exact optimum of free levels.
AssertionResult is_not_better_than_free_levels(const Mapping& mapping) {
  for (const Case& c : cases())
    for (const int bits : bits_of(mapping)) {
      MappingOptions options;
      options.bits = bits;
      options.parameters = ParameterType::f64;
      const auto group = map_group(mapping, {c.x, weights_for(mapping, c.x.size())}, options);
      if (!group) continue;
      const auto best = map_group(mappings::kmeans, {c.x, {}}, options);
      double energy = 0;
      for (const double v : c.x) energy += v * v;
      if (squared_error(*group, c.x) < squared_error(*best, c.x) * (1 - 1e-9) - 1e-24 * energy)
        return AssertionFailure() << bits << " bits: better than the optimum on «" << c.name << "»";
    }
  return AssertionSuccess();
}

AssertionResult conforms(const Mapping& mapping) {
  for (const auto check : {handles_everything, refuses_what_is_no_number, keeps_to_shannons_bound,
                           is_not_better_than_free_levels})
    if (auto result = check(mapping); !result) return result;
  return AssertionSuccess();
}

class EveryMapping : public testing::TestWithParam<const Mapping*> {};

std::string test_name(const testing::TestParamInfo<const Mapping*>& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

TEST_P(EveryMapping, Conforms) {
  EXPECT_TRUE(conforms(*GetParam()));
}

TEST_P(EveryMapping, IsFoundByItsName) {
  EXPECT_EQ(find_mapping(GetParam()->name), GetParam());
  EXPECT_FALSE(GetParam()->summary.empty());
  EXPECT_LE(GetParam()->bits_min, GetParam()->bits_default);
  EXPECT_GE(GetParam()->bits_max, GetParam()->bits_default);
}

TEST_P(EveryMapping, RefusesImpossibleBits) {
  for (const int bits : {GetParam()->bits_min - 1, GetParam()->bits_max + 1, 99, -1}) {
    if (bits == 0) continue;  // stands for the default
    MappingOptions options;
    options.bits = bits;
    const auto complete = complete_options(*GetParam(), options);
    ASSERT_FALSE(complete);
    EXPECT_EQ(complete.error().kind, ErrorKind::usage);
  }
}

/// Steps are told if asked for, and then the last one of the scale has its value.
TEST_P(EveryMapping, ExplainsItself) {
  std::vector<Step> steps;
  const Case& c = cases().front();
  const auto group = map_group(*GetParam(), {c.x, weights_for(*GetParam(), c.x.size())}, {}, &steps);
  ASSERT_TRUE(group);
  ASSERT_FALSE(steps.empty());
  for (const Step& step : steps) {
    EXPECT_FALSE(step.symbol.empty() || step.formula.empty());
    EXPECT_TRUE(step.symbol != "s" || step.value == group->scale);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryMapping, testing::ValuesIn(all_mappings().begin(), all_mappings().end()),
                         test_name);

// --- and rejects what is wrong ---------------------------------------------------------------------

/// Absmax whose codes are one too high.
Result<MappedGroup> fit_one_too_high(const Numbers& numbers, const MappingOptions& options,
                                     std::vector<Step>* steps) {
  auto group = mappings::absmax.fit(numbers, options, steps);
  for (std::uint8_t& code : group->codes) code = static_cast<std::uint8_t>(code + 1);
  return group;
}

/// Divides without asking.
Result<MappedGroup> fit_unguarded(const Numbers& numbers, const MappingOptions& options, std::vector<Step>*) {
  MappedGroup group;
  group.levels = mapping_grid::integer_levels(-7, 7);
  group.parameter_bits = 32;
  const double a = mapping_grid::absmax(numbers.x);
  group.scale = 7 / (7 / a * a) * a / 7;
  mapping_grid::choose_codes(group, numbers.x, options);
  return group;
}

/// More levels than codes.
Result<MappedGroup> fit_too_many_levels(const Numbers& numbers, const MappingOptions& options,
                                        std::vector<Step>* steps) {
  MappingOptions more = options;
  more.bits = 8;
  return mappings::absmax.fit(numbers, more, steps);
}

/// The mirror image of what was asked for.
Result<MappedGroup> fit_opposite_sign(const Numbers& numbers, const MappingOptions& options,
                                      std::vector<Step>* steps) {
  auto group = mappings::absmax.fit(numbers, options, steps);
  group->scale = -group->scale;
  return group;
}

TEST(MappingConformance, RejectsWrongMappings) {
  for (const auto fit : {fit_one_too_high, fit_unguarded, fit_too_many_levels, fit_opposite_sign}) {
    const Mapping wrong{.name = "wrong",
                        .summary = "wrong on purpose",
                        .bits_min = 4,
                        .bits_max = 4,
                        .bits_default = 4,
                        .symmetry = Mapping::Symmetry::symmetric,
                        .fit = fit};
    EXPECT_FALSE(conforms(wrong));
  }
}

TEST(Mapping, UnknownNames) {
  EXPECT_EQ(find_mapping("abs-max"), nullptr);
  EXPECT_EQ(find_mapping(""), nullptr);
}

TEST(Mapping, RefusesWhatIsImpossible) {
  const std::vector<double> one{1.0};
  const auto kind_of = [](const auto& result) { return result ? ErrorKind::cancelled : result.error().kind; };
  EXPECT_EQ(kind_of(map_group(mappings::entropy, {one, {}}, {})), ErrorKind::input);
  EXPECT_EQ(kind_of(map_group(mappings::absmax, {{}, {}}, {})), ErrorKind::input);
  EXPECT_EQ(kind_of(map_group(mappings::weighted_mse, {one, {}}, {})), ErrorKind::usage);
  EXPECT_EQ(kind_of(map_group(mappings::kmeans, {one, std::vector<double>{-1.0}}, {})), ErrorKind::numeric);
  EXPECT_EQ(kind_of(map_group(mappings::kmeans, {one, std::vector<double>{1.0, 2.0}}, {})), ErrorKind::input);
  MappingOptions options;
  options.symmetric = false;
  EXPECT_EQ(kind_of(map_group(mappings::absmax, {one, {}}, options)), ErrorKind::usage);
  options = {};
  options.percentile = 10;
  EXPECT_EQ(kind_of(map_group(mappings::percentile, {one, {}}, options)), ErrorKind::usage);
  options = {};
  options.power = std::nan("");
  EXPECT_EQ(kind_of(map_group(mappings::mse, {one, {}}, options)), ErrorKind::usage);
  options = {};
  options.parameters = ParameterType::f16;
  const std::vector<double> large{1e30};
  EXPECT_EQ(kind_of(map_group(mappings::absmax, {large, {}}, options)), ErrorKind::numeric);
}

TEST(MapTensor, GroupsAreMappedByThemselves) {
  const std::vector<double> x{1, -2, 3, 4, 10, 20, -30, 5};
  ThreadPool pool(2);
  SilentProgress silent;
  const auto mapped = map_tensor(mappings::absmax, x, {}, 2, {Granularity::Kind::group, 2}, {}, pool, silent);
  ASSERT_TRUE(mapped);
  ASSERT_EQ(mapped->groups.size(), 4U);
  const double extremes[] = {2, 4, 20, 30};
  for (std::size_t g = 0; g < 4; ++g) EXPECT_NEAR(mapped->groups[g].scale * 127, extremes[g], 1e-5);
  EXPECT_NEAR(mapped->bits_per_weight(), 8 + 32.0 / 2, 1e-12);
  const MappingErrors errors = errors_of(x, *mapped);
  EXPECT_GT(errors.sqnr_db, 40);
  EXPECT_EQ(errors.n_clipped, 0U);
}

TEST(MapTensor, CountsWhatIsClipped) {
  std::vector<double> x(1000, 0.5);
  x[3] = 100;
  x[4] = -100;
  ThreadPool pool(1);
  SilentProgress silent;
  MappingOptions options;
  options.percentile = 99;
  const auto mapped = map_tensor(mappings::percentile, x, {}, 1, {}, options, pool, silent);
  const MappingErrors errors = errors_of(x, *mapped);
  EXPECT_EQ(errors.n_clipped, 2U);
  EXPECT_EQ(errors.largest_at, 3U);
  EXPECT_NEAR(errors.largest, 99.5, 1e-4);
}

TEST(MapTensor, SaysWhichGroupIsAtFault) {
  std::vector<double> x(64, 1.0);
  x[37] = std::nan("");
  ThreadPool pool(2);
  SilentProgress silent;
  const auto mapped = map_tensor(mappings::absmax, x, {}, 4, {Granularity::Kind::group, 8}, {}, pool, silent);
  ASSERT_FALSE(mapped);
  EXPECT_NE(mapped.error().message().find("group 4"), std::string::npos) << mapped.error().message();
  const auto uneven = map_tensor(mappings::absmax, x, {}, 4, {Granularity::Kind::group, 5}, {}, pool, silent);
  ASSERT_FALSE(uneven);
  EXPECT_EQ(uneven.error().kind, ErrorKind::usage);
}

TEST(Granularity, Names) {
  for (const char* name : {"tensor", "channel", "token", "group:32"})
    EXPECT_EQ(name_of(parse_granularity(name).value()), name);
  for (const char* name :
       {"", "group", "group:", "group:0", "group:-1", "group:3x", "row", "group:99999999999999999999999"})
    EXPECT_FALSE(parse_granularity(name)) << name;
}

}  // namespace
}  // namespace kerf

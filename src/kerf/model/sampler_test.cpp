#include "kerf/model/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace kerf {
namespace {

// Probabilities 0.4, 0.3, 0.15, 0.1, 0.05 in the order of ids 2, 0, 4, 1, 3.
const std::vector<float> kLogits = {std::log(0.3F), std::log(0.1F), std::log(0.4F), std::log(0.05F),
                                    std::log(0.15F)};

SamplerOptions everything() {
  return {.temperature = 1.0, .top_k = 0, .top_p = 1.0, .min_p = 0.0, .repeat_penalty = 1.0};
}

std::vector<TokenId> ids_of(const SamplerOptions& options, const std::vector<TokenId>& history = {}) {
  auto sampler = Sampler::create(options).value();
  for (const TokenId id : history) sampler.accept(id);
  std::vector<TokenId> ids;
  const auto candidates = sampler.candidates(kLogits).value();
  for (const Candidate& candidate : candidates) ids.push_back(candidate.id);
  return ids;
}

using Ids = std::vector<TokenId>;

TEST(Sampler, FiltersKeepTheLikeliest) {
  SamplerOptions options = everything();
  EXPECT_EQ(ids_of(options), (Ids{2, 0, 4, 1, 3}));
  options.top_k = 3;
  EXPECT_EQ(ids_of(options), (Ids{2, 0, 4}));
  options = everything();
  options.top_p = 0.69;
  EXPECT_EQ(ids_of(options), (Ids{2, 0}));
  options.top_p = 0.71;
  EXPECT_EQ(ids_of(options), (Ids{2, 0, 4}));
  options.top_p = 0.0;
  EXPECT_EQ(ids_of(options), (Ids{2}));
  options = everything();
  options.min_p = 0.3;  // of 0.4: 0.12
  EXPECT_EQ(ids_of(options), (Ids{2, 0, 4}));
  options.min_p = 1.0;
  EXPECT_EQ(ids_of(options), (Ids{2}));
}

TEST(Sampler, TopPLooksAtWhatTopKLeft) {
  SamplerOptions options = everything();
  options.top_k = 2;
  options.top_p = 0.56;  // 0.4 / 0.7 = 0.571 is enough; of all five it would take two
  EXPECT_EQ(ids_of(options), (Ids{2}));
}

TEST(Sampler, FiltersLookAtLogitsBeforeTemperature) {
  SamplerOptions options = everything();
  options.top_p = 0.69;
  options.min_p = 0.3;
  options.temperature = 100.0;
  EXPECT_EQ(ids_of(options), (Ids{2, 0}));
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  SamplerOptions options = everything();
  options.temperature = 0.5;  // squares the probabilities: 0.16, 0.09, 0.0225, 0.01, 0.0025 of 0.285
  const auto candidates = Sampler::create(options)->candidates(kLogits).value();
  EXPECT_NEAR(candidates[0].probability, 0.16 / 0.285, 1e-6);
  EXPECT_NEAR(candidates[4].probability, 0.0025 / 0.285, 1e-6);
}

TEST(Sampler, GreedyTakesTheFirstOfEquals) {
  SamplerOptions options = everything();
  options.temperature = 0.0;
  auto sampler = Sampler::create(options).value();
  EXPECT_EQ(sampler.sample(std::vector<float>{1.0F, 3.0F, 3.0F, -1.0F}).value(), 1);
}

TEST(Sampler, RepetitionPenaltyLowersBothSigns) {
  SamplerOptions options = everything();
  options.repeat_penalty = 2.0;
  options.repeat_window = 2;
  auto sampler = Sampler::create(options).value();
  for (const TokenId id : {2, 0, 1}) sampler.accept(id);  // 2 has left the window
  const auto candidates = sampler.candidates(std::vector<float>{3.0F, -1.0F, 2.5F}).value();
  ASSERT_EQ(candidates.size(), 3U);
  EXPECT_EQ(candidates[0].id, 2);
  EXPECT_FLOAT_EQ(candidates[0].logit, 2.5F);
  EXPECT_EQ(candidates[1].id, 0);
  EXPECT_FLOAT_EQ(candidates[1].logit, 1.5F);
  EXPECT_FLOAT_EQ(candidates[2].logit, -2.0F);
}

TEST(Sampler, DrawsByProbability) {
  SamplerOptions options = everything();
  options.seed = 7;
  auto sampler = Sampler::create(options).value();
  constexpr int kDraws = 20000;
  std::map<TokenId, int> counts;
  for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(kLogits).value()];
  const double expected[] = {0.3, 0.1, 0.4, 0.05, 0.15};
  for (TokenId id = 0; id < 5; ++id) {
    const double p = expected[id];
    EXPECT_NEAR(counts[id], p * kDraws, 4 * std::sqrt(p * (1 - p) * kDraws)) << "token " << id;
  }
}

TEST(Sampler, SeedDecides) {
  const auto draw = [](std::uint64_t seed) {
    SamplerOptions options = everything();
    options.seed = seed;
    auto sampler = Sampler::create(options).value();
    Ids ids;
    for (int i = 0; i < 50; ++i) ids.push_back(sampler.sample(kLogits).value());
    return ids;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(Sampler, RefusesBrokenLogits) {
  auto sampler = Sampler::create(everything()).value();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& logits :
       {std::vector<float>{}, {1.0F, std::nanf("")}, {1.0F, kInfinity}, {-kInfinity, -kInfinity}}) {
    const auto result = sampler.sample(logits);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::numeric);
  }
  EXPECT_EQ(sampler.sample(std::vector<float>{-kInfinity, 0.5F}).value(), 1);
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  for (const SamplerOptions& options :
       {SamplerOptions{.temperature = -1}, SamplerOptions{.temperature = std::nan("")},
        SamplerOptions{.top_p = 1.5}, SamplerOptions{.min_p = -0.1}, SamplerOptions{.repeat_penalty = 0}}) {
    const auto result = Sampler::create(options);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::usage);
  }
}

}  // namespace
}  // namespace kerf

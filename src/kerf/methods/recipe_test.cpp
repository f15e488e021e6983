#include "kerf/methods/recipe.h"

#include <gtest/gtest.h>

#include "kerf/methods/memory_source_for_tests.h"
#include "kerf/methods/mixture.h"

namespace kerf {
namespace {

using testing_support::MemorySource;
using testing_support::small_model;

std::string got(const ModelSource& source, const std::vector<Assignment>& assignments,
                std::string_view name) {
  for (std::size_t i = 0; i < assignments.size(); ++i)
    if (source.tensors()[i].name == name) return std::string(assignments[i].got->name);
  return "no such tensor";
}

TEST(Recipe, PlainTypeSparesTheOutputUnlessPureAndVectorsStay) {
  const MemorySource source = small_model();
  const auto a = assign_formats(source, {.type = "q4_0"});
  ASSERT_TRUE(a) << a.error().message();
  EXPECT_EQ(got(source, *a, "token_embd.weight"), "Q8_0");  // Q6_K does not fit rows of 96
  EXPECT_EQ(got(source, *assign_formats(source, {.type = "q4_0", .pure = true}), "token_embd.weight"),
            "Q4_0");
  EXPECT_EQ(got(source, *assign_formats(source, {.type = "f16"}), "token_embd.weight"), "F16");
  EXPECT_EQ(got(source, *a, "blk.1.attn_q.weight"), "Q4_0");
  EXPECT_EQ(got(source, *a, "blk.0.attn_norm.weight"), "F32");
}

TEST(Recipe, FirstRuleWinsAndBeatsTheTypeOptions) {
  const MemorySource source = small_model();
  RecipeOptions options{.type = "Q4_0"};
  options.tensor_types = {{"blk\\.0\\..*attn_v", "Q8_0"}, {"attn_v", "Q5_1"}, {"token_embd", "F16"}};
  options.embedding_type = "Q5_0";
  const auto a = assign_formats(source, options);
  ASSERT_TRUE(a) << a.error().message();
  EXPECT_EQ(got(source, *a, "blk.0.attn_v.weight"), "Q8_0");
  EXPECT_EQ(got(source, *a, "blk.1.attn_v.weight"), "Q5_1");
  EXPECT_EQ(got(source, *a, "token_embd.weight"), "F16");
}

TEST(Recipe, TiedEmbeddingCountsAsOutput) {
  const MemorySource source = small_model();
  const auto a = assign_formats(source, {.type = "Q4_0", .embedding_type = "Q5_0", .output_type = "Q8_0"});
  ASSERT_TRUE(a);
  EXPECT_EQ(got(source, *a, "token_embd.weight"), "Q8_0");
}

TEST(Recipe, RowsThatDoNotFitFallBackAndSayWhy) {
  const MemorySource source = small_model();
  const auto a = assign_formats(source, {.type = "Q4_K"});
  ASSERT_TRUE(a);
  EXPECT_EQ(got(source, *a, "blk.0.ffn_down.weight"), "Q4_K");
  const Assignment& q = (*a)[3];
  ASSERT_EQ(source.tensors()[3].name, "blk.0.attn_q.weight");
  EXPECT_NE(q.got, q.asked);
  EXPECT_EQ(96 % q.got->block_size, 0U);
  EXPECT_NE(q.reason.find("96"), std::string::npos);
  EXPECT_NEAR(q.got->bits_per_weight(), q.asked->bits_per_weight(), 2.0);
  const auto refused = assign_formats(source, {.type = "Q4_K", .allow_fallback = false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::usage);
}

TEST(Recipe, TypesOfAnotherFileComeFirst) {
  const MemorySource source = small_model();
  RecipeOptions options{.type = "Q4_0"};
  options.tensor_types = {{".*", "F16"}};
  options.like = {{"blk.0.attn_q.weight", &formats::q5_1}};
  const auto a = assign_formats(source, options);
  ASSERT_TRUE(a);
  EXPECT_EQ(got(source, *a, "blk.0.attn_q.weight"), "Q5_1");
  EXPECT_EQ(got(source, *a, "blk.1.attn_q.weight"), "F16");
}

TEST(Recipe, UnknownTypesAndBrokenExpressionsAreUsageErrors) {
  const MemorySource source = small_model();
  EXPECT_EQ(assign_formats(source, {.type = "Q4_Z"}).error().kind, ErrorKind::usage);
  EXPECT_EQ(assign_formats(source, {.type = "Q4_0", .tensor_types = {{"(", "Q8_0"}}}).error().kind,
            ErrorKind::usage);
  EXPECT_EQ(assign_formats(source, {.type = "Q4_0", .output_type = "x"}).error().kind, ErrorKind::usage);
}

TEST(Mixture, FollowsTheWrittenRule) {
  const Mixture* m = find_mixture("q4_k_m");
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(mixture_format(*m, "token_embd.weight", true, 32)->name, "Q6_K");
  EXPECT_EQ(mixture_format(*m, "token_embd.weight", false, 32)->name, "Q4_K");
  EXPECT_EQ(mixture_format(*m, "blk.9.attn_v.weight", false, 32)->name, "Q5_K");
  EXPECT_EQ(mixture_format(*m, "blk.0.ffn_down.weight", false, 32)->name, "Q5_K");
  EXPECT_EQ(mixture_format(*m, "blk.4.ffn_down.weight", false, 32)->name, "Q4_K");
  EXPECT_EQ(mixture_format(*m, "blk.6.ffn_down.weight", false, 32)->name, "Q5_K");
  EXPECT_EQ(mixture_format(*find_mixture("Q5_K_L"), "blk.4.ffn_down.weight", false, 32)->name, "Q6_K");
  EXPECT_EQ(find_mixture("Q4_K"), nullptr);
}

}  // namespace
}  // namespace kerf

#include "kerf/methods/budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "kerf/io/gguf.h"
#include "kerf/methods/memory_source_for_tests.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

using testing_support::MemorySource;
using testing_support::small_model;

TEST(RecipeFile, ReadsWhatItWritesAndSkipsComments) {
  const RecipeRules rules = {{exactly("blk.0.attn_q.weight"), "K3.5"}, {"a=b", "Q4_0"}};
  const auto back = parse_recipe("  # by hand\n\n" + recipe_text(rules, "two\nlines"), "r.txt");
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, rules);
}

TEST(RecipeFile, AnExactRuleMatchesOneName) {
  const std::regex pattern(exactly("blk.1.attn_q.weight"));
  EXPECT_TRUE(std::regex_search("blk.1.attn_q.weight", pattern));
  EXPECT_FALSE(std::regex_search("blk.11.attn_q.weight", pattern));
  EXPECT_FALSE(std::regex_search("blkX1.attn_q.weight", pattern));
}

TEST(RecipeFile, BadLinesAreNamed) {
  for (const char* text :
       {"x = Q4_0\nno rule\n", "x = Q4_0\n = Q4_0", "x = Q4_0\ny =", "x = Q4_0\ny = Q99"}) {
    const auto rules = parse_recipe(text, "r.txt");
    ASSERT_FALSE(rules) << text;
    EXPECT_EQ(rules.error().kind, ErrorKind::input);
    EXPECT_EQ(rules.error().where, "r.txt:2");
  }
}

/// Importance 1 for every column of every matrix; layer 1 counts a thousand times as much.
ImportanceMatrix importance_for(const ModelSource& source) {
  ImportanceMatrix matrix;
  for (const SourceTensor& tensor : source.tensors()) {
    const float weight = tensor.name.starts_with("blk.1.") ? 1000.0F : 1.0F;
    matrix.weights[tensor.name] = {
        tensor.row_length(), std::vector<float>(tensor.row_length(), weight), {1.0}};
  }
  return matrix;
}

class Budget : public testing::Test {
 protected:
  Result<std::vector<TensorCosts>> costs(const CostOptions& options = {}) {
    ThreadPool pool(2);
    SilentProgress progress;
    return measure_costs(source_, importance_for(source_), options, pool, progress);
  }

  MemorySource source_ = small_model();
};

TEST_F(Budget, LossIsHalfTheWeightedSquaredError) {
  const auto all = costs();
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->size(), 7U);  // the embedding and three matrices of each layer
  const TensorCosts& entry = all->back();
  const SourceTensor& tensor = source_.tensors()[entry.tensor];
  EXPECT_EQ(tensor.name, "blk.1.ffn_down.weight");
  const std::vector<float>& x = source_.values(tensor.name);
  for (std::size_t k = 0; k < entry.formats.size(); ++k) {
    const Format& format = *entry.formats[k];
    std::vector<std::uint8_t> bytes(tensor.n_rows() * format.row_bytes(512));
    std::vector<float> back(x.size());
    const std::vector<float> h(512, 1000.0F);
    quantize_rows(format, x.data(), h.data(), bytes.data(), tensor.n_rows(), 512);
    decode_rows(format, bytes.data(), tensor.n_rows(), 512, back.data());
    double loss = 0;
    for (std::size_t i = 0; i < x.size(); ++i) loss += 500.0 * (x[i] - back[i]) * (x[i] - back[i]);
    EXPECT_NEAR(entry.options[k].loss, loss, 0.1 * loss) << format.name;  // estimated on 64 of 96 rows
    EXPECT_GE(entry.options[k].bytes, bytes.size());
    EXPECT_LT(entry.options[k].bytes, bytes.size() + 32);
  }
}

TEST_F(Budget, IsKeptExactlyAndSpentWhereItMatters) {
  const auto all = costs();
  ASSERT_TRUE(all);
  const BudgetRange range = budget_range(source_, source_.metadata(), *all);
  ASSERT_LT(range.smallest, range.largest);
  const std::uint64_t target = (range.smallest + range.largest) / 2;
  const auto plan = plan_budget(source_, source_.metadata(), *all, target, {});
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_LE(plan->file_bytes, target);
  EXPECT_GE(static_cast<double>(plan->file_bytes), 0.98 * static_cast<double>(target));
  EXPECT_LE(plan->lower_bound, plan->loss);
  EXPECT_LE(plan->loss, 1.05 * plan->lower_bound);
  const auto bits = [&](std::string_view name) {
    for (std::size_t k = 0; k < all->size(); ++k)
      if (source_.tensors()[(*all)[k].tensor].name == name) return plan->formats[k]->bits_per_weight();
    return 0.0;
  };
  EXPECT_GT(bits("blk.1.ffn_down.weight"), bits("blk.0.ffn_down.weight") + 2);
}

TEST_F(Budget, NumbersOnAGridLeaveAChoiceBelowIt) {
  for (const SourceTensor& tensor : source_.tensors()) {
    if (tensor.row_length() % 32 != 0) continue;
    std::vector<float>& x = source_.values(tensor.name);
    std::vector<std::uint8_t> bytes(x.size() / 32 * 18);
    quantize_row(formats::q4_0, x.data(), nullptr, bytes.data(), x.size());
    formats::q4_0.decode(bytes.data(), x.data(), x.size());
  }
  const auto all = costs();
  ASSERT_TRUE(all);
  for (const TensorCosts& entry : *all) {
    const auto n_between = std::count_if(entry.formats.begin(), entry.formats.end(), [](const Format* f) {
      return f->bits_per_weight() >= 2.5 && f->bits_per_weight() <= 4.25;
    });
    EXPECT_GE(n_between, 3) << source_.tensors()[entry.tensor].name;
  }
}

TEST_F(Budget, ConstraintsHold) {
  const auto all = costs({.only_gguf = true});
  ASSERT_TRUE(all);
  const BudgetRange range = budget_range(source_, source_.metadata(), *all);
  const auto plan = plan_budget(source_, source_.metadata(), *all, (range.smallest + range.largest) / 2,
                                {{"attn_v", "Q6_K"}});
  ASSERT_TRUE(plan) << plan.error().message();
  for (std::size_t k = 0; k < all->size(); ++k) {
    EXPECT_TRUE(plan->formats[k]->in_gguf());
    if (source_.tensors()[(*all)[k].tensor].name.find("attn_v") != std::string::npos) {
      EXPECT_GE(plan->formats[k]->bits_per_weight(), formats::q6_k.bits_per_weight());
    }
  }
}

TEST_F(Budget, ImpossibleRequestsAreSaid) {
  const auto all = costs();
  ASSERT_TRUE(all);
  const BudgetRange range = budget_range(source_, source_.metadata(), *all);
  const auto plan = plan_budget(source_, source_.metadata(), *all, range.smallest - 1, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::usage);
  EXPECT_NE(plan.error().what.find(std::to_string(range.smallest)), std::string::npos) << plan.error().what;
  EXPECT_FALSE(plan_budget(source_, source_.metadata(), *all, range.largest, {{"attn", "F32"}}));
}

TEST_F(Budget, ImportanceOfAnotherModelIsRefused) {
  ThreadPool pool(1);
  SilentProgress progress;
  ImportanceMatrix wrong = importance_for(source_);
  wrong.weights.at("blk.0.attn_q.weight").n_columns = 95;
  EXPECT_FALSE(measure_costs(source_, wrong, {}, pool, progress));
  wrong = importance_for(source_);
  wrong.weights.erase("blk.0.attn_q.weight");
  const auto costs = measure_costs(source_, wrong, {}, pool, progress);
  ASSERT_FALSE(costs);
  EXPECT_EQ(costs.error().where, "blk.0.attn_q.weight");
}

}  // namespace
}  // namespace kerf

// Mixtures of experts from checkpoint to quantized file: each expert is measured and rounded for itself.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kerf/io/container.h"
#include "kerf/methods/calibrate.h"
#include "kerf/methods/quantize_calibrated.h"
#include "kerf/methods/sensitivity.h"
#include "kerf/model/golden.h"
#include "kerf/model/source.h"

namespace kerf {
namespace {

constexpr const char* kGates = "blk.1.ffn_gate_exps.weight";

class Experts : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    source_ = ModelSource::open(golden::folder("mixtral")).value();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<ImportanceMatrix> measured() {
    KERF_TRY(const auto model, Model::load(source_, pool_));
    KERF_TRY(const auto tokenizer, source_->require_tokenizer());
    const CalibrationText text{
        "text", {"the other thing in the tests and on the table, again and again: 1234567890"}};
    KERF_TRY(const CalibrationRun run, calibrate(*model, *tokenizer, {text}, {.ctx = 8}, pool_, progress_));
    return run.calibration.importance_matrix();
  }

  Result<std::vector<TensorReport>> quantize(const std::string& importance, const char* name,
                                             const char* type = "Q4_0") {
    KERF_TRY(const QuantizePlan plan,
             plan_quantization(*source_, {.type = type, .importance_file = importance}, "test"));
    return write_quantized(*source_, plan, folder_ / name, pool_, progress_);
  }

  ThreadPool pool_{2};
  SilentProgress progress_;
  std::filesystem::path folder_;
  std::shared_ptr<const ModelSource> source_;
};

TEST_F(Experts, EachIsMeasuredByTheTokensThatChoseIt) {
  const auto matrix = measured();
  ASSERT_TRUE(matrix) << matrix.error().message();
  const Importance* gates = matrix->find(kGates);
  const Importance* router = matrix->find("blk.1.ffn_gate_inp.weight");
  ASSERT_TRUE(gates != nullptr && router != nullptr);
  ASSERT_EQ(gates->n_matrices(), 4U);
  const double n_tokens = router->n_tokens[0];
  EXPECT_EQ(std::accumulate(gates->n_tokens.begin(), gates->n_tokens.end(), 0.0), 2 * n_tokens);
  EXPECT_EQ(gates->n_tokens, matrix->find("blk.1.ffn_down_exps.weight")->n_tokens);
  // Each token flows into two experts: together they see what the router sees, twice.
  for (std::size_t k = 0; k < gates->n_columns; ++k) {
    double sum = 0;
    for (std::size_t e = 0; e < 4; ++e)
      sum += gates->mean_square[e * gates->n_columns + k] * gates->n_tokens[e];
    EXPECT_NEAR(sum / (2 * n_tokens * router->mean_square[k]), 1, 1e-5) << k;
  }
}

TEST_F(Experts, OnesNeverHitAreRoundedPlainlyAndOthersByTheirOwnColumns) {
  auto matrix = measured();
  ASSERT_TRUE(matrix) << matrix.error().message();
  Importance& gates = matrix->weights.at(kGates);
  gates.n_tokens = {0, 5, 5, 0};
  ASSERT_EQ(experts_never_hit(*matrix).size(), 2U);
  const std::string file = folder_ / "importance.gguf";
  ASSERT_TRUE(write_importance(*matrix, file));
  ASSERT_TRUE(quantize("", "plain.gguf"));
  const auto reports = quantize(file, "weighted.gguf");
  ASSERT_TRUE(reports) << reports.error().message();
  const Container plain = *open_container(folder_ / "plain.gguf");
  const Container weighted = *open_container(folder_ / "weighted.gguf");
  const StoredTensor* a = plain.find(kGates);
  const StoredTensor* b = weighted.find(kGates);
  ASSERT_EQ(a->shape, (std::vector<std::uint64_t>{4, 32, 32}));
  ASSERT_EQ(a->format->name, "Q4_0");
  const std::size_t n = a->bytes.size() / 4;
  for (std::size_t e = 0; e < 4; ++e) {
    const bool same = std::equal(a->bytes.begin() + static_cast<std::ptrdiff_t>(e * n),
                                 a->bytes.begin() + static_cast<std::ptrdiff_t>((e + 1) * n),
                                 b->bytes.begin() + static_cast<std::ptrdiff_t>(e * n));
    EXPECT_EQ(same, e == 0 || e == 3) << e;
  }
}

TEST_F(Experts, TheQuantizedFileRunsAndIsCloseToTheModel) {
  const auto written = quantize("", "small.gguf", "Q8_0");
  ASSERT_TRUE(written) << written.error().message();
  const auto model = Model::load(ModelSource::open(folder_ / "small.gguf").value(), pool_);
  ASSERT_TRUE(model) << model.error().message();
  const std::vector<TokenId> tokens = golden::tokens("mixtral");
  const std::vector<float> wanted = golden::logits("mixtral");
  std::vector<float> logits(wanted.size());
  const auto cache = (*model)->make_cache(tokens.size());
  ASSERT_TRUE((*model)->forward(tokens, *cache, tokens.size(), logits.data()));
  double error = 0, power = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    error += std::pow(static_cast<double>(logits[i]) - wanted[i], 2);
    power += std::pow(static_cast<double>(wanted[i]), 2);
  }
  EXPECT_GT(error, 0);
  EXPECT_LT(error / power, 0.01);
}

TEST_F(Experts, WhatNeedsGradientsIsRefused) {
  const std::vector<TokenId> tokens = golden::tokens("mixtral");
  const auto result = measure_sensitivity(*source_, tokens, {.ctx = 72}, pool_, progress_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unsupported);
  EXPECT_NE(result.error().message().find("4 experts"), std::string::npos) << result.error().message();
}

TEST_F(Experts, MethodsThatWalkTheModelAreRefused) {
  QuantizePlan plan = plan_quantization(*source_, {.type = "Q4_0"}, "test").value();
  CalibratedOptions options;
  options.method = &methods::gptq;
  const auto result = plan_calibrated(*source_, options, pool_, plan);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unsupported);
  EXPECT_NE(result.error().message().find("--method gptq"), std::string::npos) << result.error().message();
}

}  // namespace
}  // namespace kerf

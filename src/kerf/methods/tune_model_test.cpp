// A small checkpoint, quantized, learns to answer like its original.
#include "kerf/methods/tune_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "kerf/methods/quantize_model.h"
#include "kerf/model/golden.h"
#include "kerf/model/model.h"

namespace kerf {
namespace {

constexpr std::size_t kCtx = 24;

class TuneModel : public ::testing::Test {
 protected:
  TuneModel() {
    folder_ = std::filesystem::temp_directory_path() / ("kerf_tune_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~TuneModel() override { std::filesystem::remove_all(folder_); }

  /// A golden checkpoint, rounded, as a file.
  std::filesystem::path quantized(std::string_view model, const std::string& type) {
    const auto source = *ModelSource::open(golden::folder(model));
    RecipeOptions recipe;
    recipe.type = type;
    const auto plan = plan_quantization(*source, recipe, "test");
    EXPECT_TRUE(plan) << plan.error().message();
    const auto path = folder_ / (std::string(model) + ".gguf");
    const auto written = write_quantized(*source, *plan, path, pool_, progress_);
    EXPECT_TRUE(written) << written.error().message();
    return path;
  }

  static std::unique_ptr<Student> student(const std::filesystem::path& path) {
    auto loaded = Student::load(*ModelSource::open(path));
    EXPECT_TRUE(loaded) << loaded.error().message();
    return std::move(*loaded);
  }

  /// Windows that overlap: 72 golden tokens are few.
  static std::vector<TokenId> windows(std::string_view model, std::size_t n) {
    const auto tokens = golden::tokens(model);
    std::vector<TokenId> all;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t first = i * 7 % (tokens.size() - kCtx + 1);
      all.insert(all.end(), tokens.begin() + static_cast<std::ptrdiff_t>(first),
                 tokens.begin() + static_cast<std::ptrdiff_t>(first + kCtx));
    }
    return all;
  }

  Result<ModelTuningReport> tune(std::string_view model, Student& student, std::size_t n_windows,
                                 ModelTuningOptions options, ThreadPool& pool) {
    const auto teacher = *ModelSource::open(golden::folder(model));
    options.ctx = kCtx;
    return tune_model(*teacher, student, windows(model, n_windows), options, pool, progress_);
  }

  /// Mean KL divergence of a file from its original by the program's own forward pass.
  double divergence(std::string_view model, const std::filesystem::path& path) {
    const auto tokens = golden::tokens(model);
    std::vector<std::vector<float>> logits;
    std::size_t n = 0;
    for (const auto& file : {golden::folder(model), path}) {
      const auto loaded = *Model::load(*ModelSource::open(file), pool_);
      n = loaded->config().n_vocabulary;
      logits.emplace_back(tokens.size() * n);
      const auto cache = loaded->make_cache(tokens.size());
      EXPECT_TRUE(loaded->forward(tokens, *cache, tokens.size(), logits.back().data()));
    }
    double sum = 0;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      double p_sum = 0, q_sum = 0, kl = 0;
      for (std::size_t i = t * n; i < (t + 1) * n; ++i) {
        p_sum += std::exp(double{logits[0][i]});
        q_sum += std::exp(double{logits[1][i]});
      }
      for (std::size_t i = t * n; i < (t + 1) * n; ++i)
        kl += std::exp(double{logits[0][i]}) / p_sum *
              (logits[0][i] - std::log(p_sum) - logits[1][i] + std::log(q_sum));
      sum += kl;
    }
    return sum / static_cast<double>(tokens.size());
  }

  std::filesystem::path folder_;
  ThreadPool pool_{2};
  SilentProgress progress_;
};

TEST_F(TuneModel, TheFileAnswersMoreLikeTheOriginal) {
  // llama has an output matrix of its own; that of llama3 is the embedding, and no row fits blocks of 32.
  for (const std::string model : {"llama", "llama3"}) {
    const auto path = quantized(model, model == "llama" ? "Q4_0" : "S3.5");
    const double before = divergence(model, path);
    const auto learner = student(path);
    const auto report = tune(model, *learner, 84, {.rates = {0.03F, 0.1F, 0.1F}, .norm_rate = 0.003F}, pool_);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->n_steps, 80U);
    EXPECT_LT(report->kld_after, 0.7 * report->kld_before) << model;
    ASSERT_TRUE(learner->save(folder_ / "tuned.gguf"));
    EXPECT_EQ(std::filesystem::file_size(folder_ / "tuned.gguf"), std::filesystem::file_size(path));
    // On windows three times as long as those that it learned from.
    EXPECT_LT(divergence(model, folder_ / "tuned.gguf"), 0.85 * before) << model;
  }
}

TEST_F(TuneModel, ThreadsChangeNothing) {
  const auto path = quantized("llama", "Q4_0");
  std::vector<std::vector<std::uint8_t>> results;
  for (const unsigned n_threads : {1U, 3U}) {
    ThreadPool pool(n_threads);
    const auto learner = student(path);
    ASSERT_TRUE(tune("llama", *learner, 9, {}, pool));
    results.emplace_back();
    for (const auto& [name, owned] : learner->owned())
      results.back().insert(results.back().end(), owned.bytes.begin(), owned.bytes.end());
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(TuneModel, StepsTooLargeLeaveWhatWasBest) {
  const auto path = quantized("llama", "Q4_0");
  const auto learner = student(path), untouched = student(path);
  const auto report = tune("llama", *learner, 9, {.rates = {50, 50, 50}, .norm_rate = 0.9F}, pool_);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->best_step, 0U);
  EXPECT_EQ(report->kld_after, report->kld_before);
  for (const auto& [name, owned] : untouched->owned())
    EXPECT_EQ(learner->owned().at(name).bytes, owned.bytes) << name;
  for (const auto& [name, norm] : untouched->norms())
    EXPECT_EQ(learner->norms().at(name)->weight, norm->weight) << name;
}

TEST_F(TuneModel, WhatIsNotToLearnStays) {
  const auto path = quantized("llama", "Q4_0");
  const auto learner = student(path), untouched = student(path);
  const auto report = tune("llama", *learner, 24,
                           {.rates = {0.03F, 0.1F, 0.1F}, .learn_norms = false, .learn_ends = false}, pool_);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_GT(report->best_step, 0U);
  for (const auto& [name, owned] : untouched->owned())
    EXPECT_EQ(learner->owned().at(name).bytes == owned.bytes, !name.starts_with("blk.")) << name;
  for (const auto& [name, norm] : untouched->norms())
    EXPECT_EQ(learner->norms().at(name)->weight, norm->weight) << name;
}

TEST_F(TuneModel, RefusesAnotherModelAndTooFewWindows) {
  const auto path = quantized("llama", "Q4_0");
  const auto learner = student(path);
  EXPECT_EQ(tune("llama3", *learner, 9, {}, pool_).error().kind, ErrorKind::input);
  EXPECT_EQ(tune("llama", *learner, 4, {}, pool_).error().kind, ErrorKind::input);
  EXPECT_EQ(Student::load(*ModelSource::open(golden::folder("llama"))).error().kind, ErrorKind::input);
}

}  // namespace
}  // namespace kerf

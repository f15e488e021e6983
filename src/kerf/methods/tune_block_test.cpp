// A layer of a small checkpoint learns its rounding.
#include "kerf/methods/tune_block.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/model/golden.h"
#include "kerf/model/source.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

constexpr std::size_t kCtx = 24, kWindows = 16;

/// Layer 0 of the golden llama, rounded to a format, and windows of its own residuals.
class SmallLayer {
 public:
  SmallLayer(const Format& format, ThreadPool& pool) : pool_(pool) {
    source_ = *ModelSource::open(golden::folder("llama"));
    config = *config_from_metadata(source_->metadata());
    weights_ = *load_weights(*source_, config);
    student = weights_.layers[0];
    bytes_.reserve(7);
    for (std::size_t i = 0; i < 3; ++i) round(format, student.qkv[i], original().qkv[i]);
    round(format, student.attention_output, original().attention_output);
    for (std::size_t i = 0; i < 2; ++i) round(format, student.mlp_input[i], original().mlp_input[i]);
    round(format, student.mlp_output, original().mlp_output);
    make_windows();
  }

  Result<BlockTuningReport> tune(const BlockTuningOptions& options) {
    const std::size_t n = kCtx * config.width;
    const auto read = [n](const std::vector<float>& from) {
      return [&from, n](std::size_t window, float* dst) -> Result<void> {
        std::copy_n(from.data() + window * n, n, dst);
        return {};
      };
    };
    const auto inputs = read(inputs_), targets = read(targets_);
    SilentProgress progress;
    return tune_block(config, ends(), student, false, tunable_,
                      {kWindows, kCtx, inputs, targets, token_weights}, options, pool_, progress);
  }

  [[nodiscard]] const std::vector<std::vector<std::uint8_t>>& bytes() const noexcept { return bytes_; }
  [[nodiscard]] const LayerWeights& original() const noexcept { return weights_.layers[0]; }
  [[nodiscard]] const ModelEnds& ends() const noexcept { return weights_.ends; }
  std::vector<float>& targets() noexcept { return targets_; }

  ModelConfig config;
  LayerWeights student;
  std::vector<float> token_weights;

 private:
  void round(const Format& format, Linear& layer, const Linear& from) {
    std::vector<float> w(layer.n_rows() * layer.n_cols());
    decode_rows(*from.weight.format, from.weight.bytes, layer.n_rows(), layer.n_cols(), w.data());
    std::vector<std::uint8_t>& bytes = bytes_.emplace_back(format.row_bytes(layer.n_cols()) * layer.n_rows());
    quantize_rows(format, w.data(), nullptr, bytes.data(), layer.n_rows(), layer.n_cols());
    layer.weight.format = &format;
    layer.weight.bytes = bytes.data();
    layer.storage.clear();
    tunable_.push_back({&layer, bytes.data(), &from});
  }

  void make_windows() {
    const std::size_t n = kCtx * config.width;
    const auto tokens = golden::tokens("llama");
    BlockGradient block(config, ends(), pool_);
    ASSERT_TRUE(block.prepare(kCtx));
    inputs_.resize(kWindows * n);
    for (std::size_t i = 0; i < kWindows; ++i)
      embed_tokens(config, ends(), std::span(tokens).subspan(3 * i, kCtx), 0, inputs_.data() + i * n, pool_);
    targets_ = inputs_;
    for (std::size_t i = 0; i < kWindows; ++i) block.forward(original(), false, targets_.data() + i * n);
  }

  ThreadPool& pool_;
  std::shared_ptr<const ModelSource> source_;
  ModelWeights weights_;
  std::vector<std::vector<std::uint8_t>> bytes_;
  std::vector<TunableWeight> tunable_;
  std::vector<float> inputs_, targets_;
};

class TuneBlock : public ::testing::TestWithParam<const Format*> {};

TEST_P(TuneBlock, LearnsAndKeepsTheBest) {
  ThreadPool pool(2);
  SmallLayer layer(*GetParam(), pool);
  const auto report = layer.tune({.n_steps = 60, .windows_per_step = 4});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_GT(report->error_before, 0);
  EXPECT_LT(report->error_after, 0.8 * report->error_before);
  // What the report says is what the bytes do: learning with steps of no size starts where the other ended.
  const auto again = layer.tune({.n_steps = 1, .rates = {.levels = 1e-30F}});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->error_before, report->error_after);
}

INSTANTIATE_TEST_SUITE_P(Formats, TuneBlock,
                         ::testing::Values(&formats::q4_0, &formats::q4_1, &formats::iq4_nl),
                         [](const auto& param) { return std::string(param.param->name); });

TEST(TuneBlock, ThreadsChangeNothing) {
  std::vector<std::vector<std::vector<std::uint8_t>>> results;
  for (const unsigned n_threads : {1U, 3U}) {
    ThreadPool pool(n_threads);
    SmallLayer layer(formats::q4_0, pool);
    ASSERT_TRUE(layer.tune({.n_steps = 10}));
    results.push_back(layer.bytes());
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST(TuneBlock, StepsTooLargeLeaveWhatWasBest) {
  ThreadPool pool(1);
  SmallLayer layer(formats::q4_0, pool);
  const auto before = layer.bytes();
  const auto report = layer.tune({.n_steps = 3, .rates = {.levels = 100, .scales = 3, .offsets = 3}});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->error_after, report->error_before);
  EXPECT_EQ(layer.bytes(), before);
}

TEST(TuneBlock, TokensOfNoWeightDoNotCount) {
  ThreadPool pool(1);
  SmallLayer layer(formats::q4_0, pool);
  // Targets of the last token of each window are nonsense, and nobody asks for them.
  layer.token_weights.assign(kWindows * kCtx, 1.0F);
  const std::size_t width = layer.config.width;
  for (std::size_t i = 0; i < kWindows; ++i) {
    layer.token_weights[(i + 1) * kCtx - 1] = 0;
    std::fill_n(layer.targets().data() + ((i + 1) * kCtx - 1) * width, width, 1e3F);
  }
  const auto report = layer.tune({.n_steps = 40});
  ASSERT_TRUE(report);
  EXPECT_LT(report->error_before, 1.0);
  EXPECT_LT(report->error_after, 0.85 * report->error_before);
}

TEST(TuneBlock, ErrorsThatAreNotFiniteAreNamed) {
  ThreadPool pool(1);
  SmallLayer layer(formats::q4_0, pool);
  const auto before = layer.bytes();
  layer.targets()[5] = std::nanf("");
  const auto report = layer.tune({.n_steps = 40});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::numeric);
  EXPECT_NE(report.error().message().find("blk.0."), std::string::npos);
  EXPECT_EQ(layer.bytes(), before);
}

}  // namespace
}  // namespace kerf

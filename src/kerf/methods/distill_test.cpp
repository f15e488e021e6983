// The golden llama, cut to four bits, learns from itself.
#include "kerf/methods/distill.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "kerf/base/file.h"
#include "kerf/base/rng.h"
#include "kerf/methods/learned_norms.h"
#include "kerf/methods/quantize_model.h"
#include "kerf/methods/weight_gradient.h"
#include "kerf/model/golden.h"

namespace kerf {
namespace {

namespace fs = std::filesystem;

class Distill : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    teacher_ = *ModelSource::open(golden::folder("llama"));
    Rng rng(7);
    for (int i = 0; i < 8 * 32; ++i) tokens_.push_back(static_cast<TokenId>(rng.below(40)));
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path quantized(const std::string& type) {
    const fs::path path = folder_ / (type + ".gguf");
    const auto plan = plan_quantization(*teacher_, {.type = type, .pure = true}, "test");
    EXPECT_TRUE(plan) << plan.error().message();
    EXPECT_TRUE(write_quantized(*teacher_, *plan, path, pool_, progress_));
    return path;
  }

  Result<DistillReport> run(const fs::path& student, const DistillOptions& options, unsigned n_threads = 2) {
    ThreadPool pool(n_threads);
    KERF_TRY(const auto source, ModelSource::open(student));
    return distill(*teacher_, *source, tokens_, options, folder_ / "out.gguf", pool, progress_);
  }

  std::string output() { return *read_file(folder_ / "out.gguf"); }

  fs::path folder_ = fs::temp_directory_path() / ("kerf_distill_" + std::to_string(::getpid()));
  std::shared_ptr<const ModelSource> teacher_;
  std::vector<TokenId> tokens_;
  ThreadPool pool_{2};
  SilentProgress progress_;
};

constexpr DistillOptions kQuick{.ctx = 32,
                                .n_steps = 20,
                                .windows_per_step = 4,
                                .rates = {.levels = 0.02F, .scales = 0.02F, .offsets = 0.02F}};

TEST_F(Distill, ComesNearerToItsTeacherInTheSameBytes) {
  for (const char* type : {"Q4_0", "UINT3_G32", "K4.5"}) {
    const fs::path student = quantized(type);
    const auto report = run(student, kQuick);
    ASSERT_TRUE(report) << type << ": " << report.error().message();
    EXPECT_LT(report->last_loss, 0.6 * report->first_loss) << type;
    EXPECT_TRUE(report->not_learnable.empty());
    const auto before = *ModelSource::open(student), after = *ModelSource::open(folder_ / "out.gguf");
    ASSERT_EQ(before->tensors().size(), after->tensors().size());
    for (std::size_t i = 0; i < before->tensors().size(); ++i)
      EXPECT_EQ(before->tensors()[i].format, after->tensors()[i].format);
    // What was written is what was learned: nothing is lost on the way to the file.
    const auto again =
        run(folder_ / "out.gguf",
            {.ctx = 32, .n_steps = 2, .windows_per_step = 4, .rates = {0, 0, 0}, .norm_rate = 0});
    ASSERT_TRUE(again);
    EXPECT_LT(again->first_loss, 1.2 * report->last_loss) << type;
  }
}

TEST_F(Distill, StandsStillWithoutRates) {
  const fs::path student = quantized("Q4_0");
  ASSERT_TRUE(
      run(student, {.ctx = 32, .n_steps = 2, .windows_per_step = 2, .rates = {0, 0, 0}, .norm_rate = 0}));
  const auto before = *ModelSource::open(student), after = *ModelSource::open(folder_ / "out.gguf");
  for (std::size_t i = 0; i < before->tensors().size(); ++i) {
    const auto a = *before->raw(before->tensors()[i]), b = *after->raw(after->tensors()[i]);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << before->tensors()[i].name;
  }
}

TEST_F(Distill, SameBytesForAnyNumberOfThreads) {
  const fs::path student = quantized("Q4_0");
  DistillOptions options = kQuick;
  options.n_steps = 3;
  ASSERT_TRUE(run(student, options, 1));
  const std::string one = output();
  ASSERT_TRUE(run(student, options, 3));
  EXPECT_EQ(one, output());
}

TEST_F(Distill, SaysWhatCannotLearn) {
  const fs::path student = quantized("K2");
  const auto report = run(student, kQuick);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::unsupported);
  EXPECT_FALSE(fs::exists(folder_ / "out.gguf"));
}

TEST_F(Distill, AnotherModelIsRefused) {
  const auto student = *ModelSource::open(quantized("Q4_0"));
  const auto other = *ModelSource::open(golden::folder("qwen2"));
  const auto report = distill(*other, *student, tokens_, kQuick, folder_ / "out.gguf", pool_, progress_);
  ASSERT_FALSE(report);
  EXPECT_FALSE(fs::exists(folder_ / "out.gguf"));
  tokens_.resize(8);
  EXPECT_FALSE(run(student->path(), kQuick));
}

TEST(WeightGradientTest, IsTheSumOfOuterProducts) {
  constexpr std::size_t kRows = 70, kCols = 101, kTokens = 37, kStride = 80;
  Rng rng(1);
  std::vector<float> x(kTokens * kCols), dy(kTokens * kStride), dw(kRows * kCols, 0.5F);
  for (float& value : x) value = static_cast<float>(rng.normal());
  for (float& value : dy) value = static_cast<float>(rng.normal());
  Linear layer;
  layer.weight = {&formats::f32, nullptr, kRows, kCols};
  ThreadPool pool(2);
  WeightGradient gradient;
  gradient.add({layer, x.data(), dy.data(), kStride, 0, kTokens}, dw.data(), pool);
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t k = 0; k < kCols; ++k) {
      double sum = 0.5;
      for (std::size_t t = 0; t < kTokens; ++t)
        sum += static_cast<double>(dy[t * kStride + r]) * x[t * kCols + k];
      ASSERT_NEAR(dw[r * kCols + k], sum, 1e-4) << r << ", " << k;
    }
}

}  // namespace
}  // namespace kerf

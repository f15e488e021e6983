#include "kerf/methods/quantize_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "kerf/io/container.h"
#include "kerf/methods/memory_source_for_tests.h"
#include "kerf/methods/method.h"

namespace kerf {
namespace {

using testing_support::MemorySource;
using testing_support::small_model;

class QuantizeModel : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<std::vector<TensorReport>> write(const MemorySource& source, const RecipeOptions& recipe,
                                          const char* name, unsigned n_threads) {
    KERF_TRY(plan_, plan_quantization(source, recipe, "test"));
    ThreadPool pool(n_threads);
    SilentProgress progress;
    return write_quantized(source, plan_, folder_ / name, pool, progress);
  }

  std::filesystem::path folder_;
  QuantizePlan plan_;
};

TEST_F(QuantizeModel, SizeIsKnownBeforehandAndThreadsDoNotMatter) {
  const MemorySource source = small_model();
  for (const char* type : {"Q4_0", "Q4_K_M", "F16", "keep"}) {
    ASSERT_TRUE(write(source, {.type = type}, "one.gguf", 1)) << type;
    EXPECT_EQ(std::filesystem::file_size(folder_ / "one.gguf"), plan_.output_bytes) << type;
    ASSERT_TRUE(write(source, {.type = type}, "three.gguf", 3)) << type;
    EXPECT_EQ(*read_file(folder_ / "one.gguf"), *read_file(folder_ / "three.gguf")) << type;
  }
}

TEST_F(QuantizeModel, WhatIsReportedIsWhatIsRead) {
  const MemorySource source = small_model();
  const auto reports = write(source, {.type = "Q5_1"}, "out.gguf", 2);
  ASSERT_TRUE(reports);
  const auto container = open_container(folder_ / "out.gguf");
  ASSERT_TRUE(container) << container.error().message();
  EXPECT_EQ(*container->metadata.string("quantize.kerf.type"), "Q5_1");
  EXPECT_EQ(*container->metadata.u64("llama.block_count"), 2U);
  for (std::size_t i = 0; i < reports->size(); ++i) {
    const StoredTensor* stored = container->find((*reports)[i].name);
    ASSERT_NE(stored, nullptr);
    EXPECT_EQ(stored->format, (*reports)[i].assignment.got);
    EXPECT_EQ(stored->shape, (*reports)[i].shape);
    std::vector<float> original(stored->n_elements());
    std::vector<float> back(stored->n_elements());
    ASSERT_TRUE(source.read_rows(source.tensors()[i], 0, stored->n_rows(), original.data()));
    stored->format->decode(stored->bytes.data(), back.data(), back.size());
    double error = 0;
    double power = 0;
    for (std::size_t k = 0; k < back.size(); ++k) {
      error += std::pow(static_cast<double>(original[k]) - back[k], 2);
      power += std::pow(static_cast<double>(original[k]), 2);
    }
    EXPECT_NEAR((*reports)[i].error.nmse, error / power, 1e-9) << stored->name;
    EXPECT_LT((*reports)[i].error.nmse, 0.002) << stored->name;
  }
}

TEST_F(QuantizeModel, BrokenWeightsAreNamedAndLeaveNoFile) {
  MemorySource source = small_model();
  source.values("blk.1.attn_v.weight")[5 * 512 + 7] = std::nanf("");
  const auto result = write(source, {.type = "Q4_0"}, "out.gguf", 2);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::numeric);
  EXPECT_NE(result.error().message().find("blk.1.attn_v.weight: holds NaN at row 5, column 7"),
            std::string::npos)
      << result.error().message();
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(QuantizeModel, ValuesBeyondTheRangeOfF16AreNamed) {
  MemorySource source = small_model();
  source.values("blk.0.attn_q.weight")[3] = 1e6F;
  const auto result = write(source, {.type = "F16"}, "out.gguf", 1);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find("F16"), std::string::npos) << result.error().message();
  EXPECT_TRUE(write(source, {.type = "BF16"}, "out.gguf", 1));
}

TEST_F(QuantizeModel, HqqLeavesLessOfItsOwnNormThanPlainRounding) {
  const MemorySource source = small_model();
  double sums[2] = {};
  for (const Method* method : {static_cast<const Method*>(nullptr), &methods::hqq}) {
    ASSERT_TRUE(write(source, {.type = "UINT3_G32_F16Z", .pure = true, .method = method}, "out.gguf", 2));
    const auto file = open_container(folder_ / "out.gguf");
    ASSERT_TRUE(file);
    EXPECT_EQ(*file->metadata.string("quantize.kerf.method"), method == nullptr ? "rtn" : "hqq");
    const StoredTensor* stored = file->find("blk.0.attn_q.weight");
    std::vector<float> original(stored->n_elements()), back(stored->n_elements());
    const auto index = static_cast<std::size_t>(source.find(stored->name) - source.tensors().data());
    ASSERT_TRUE(source.read_rows(source.tensors()[index], 0, stored->n_rows(), original.data()));
    decode_rows(*stored->format, stored->bytes.data(), stored->n_rows(), stored->shape.back(), back.data());
    for (std::size_t i = 0; i < back.size(); ++i)
      sums[method != nullptr] += std::pow(std::fabs(double{original[i]} - back[i]), 0.7);
  }
  EXPECT_LT(sums[1], sums[0]);
}

TEST_F(QuantizeModel, InterruptionLeavesNoFile) {
  class Stop final : public Progress {
   public:
    void start(std::string_view, std::uint64_t, std::string_view) override {}
    void advance(std::uint64_t, std::string_view) override {}
    void finish() override {}
    [[nodiscard]] bool cancelled() const noexcept override { return true; }
  } stop;
  const MemorySource source = small_model();
  const auto plan = plan_quantization(source, {.type = "Q8_0"}, "test");
  ASSERT_TRUE(plan);
  ThreadPool pool(1);
  const auto result = write_quantized(source, *plan, folder_ / "out.gguf", pool, stop);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace kerf

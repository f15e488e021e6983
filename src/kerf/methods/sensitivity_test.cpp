// Sensitivities against autograd with the same drawn labels, on the small checkpoints of tests/golden/models.
#include "kerf/methods/sensitivity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/model/golden.h"

namespace kerf {
namespace {

/// What tools/golden_sensitivity.py used.
constexpr SensitivityOptions kOptions{.ctx = 36, .seed = 5};

Result<Sensitivity> measure(std::string_view model, const SensitivityOptions& options, unsigned n_threads) {
  ThreadPool pool(n_threads);
  KERF_TRY(const auto source, ModelSource::open(golden::folder(model)));
  SilentProgress progress;
  return measure_sensitivity(*source, golden::tokens(model), options, pool, progress);
}

/// All numbers as the golden file has them.
std::vector<std::pair<std::string, std::vector<float>>> listed(const Sensitivity& sensitivity) {
  std::vector<std::pair<std::string, std::vector<float>>> list;
  for (const auto& [name, importance] : sensitivity.diagonal.weights) {
    const auto tokens = sensitivity.of_tokens.find(name);
    if (tokens != sensitivity.of_tokens.end()) list.emplace_back(name + ", tokens", tokens->second);
    list.emplace_back(name + ", columns", importance.mean_square);
  }
  return list;
}

class GoldenSensitivity : public ::testing::TestWithParam<std::string_view> {};

TEST_P(GoldenSensitivity, IsThatOfAutograd) {
  const auto found = measure(GetParam(), kOptions, 2);
  ASSERT_TRUE(found) << found.error().message();
  const auto expected = golden::read_npy<float>(golden::folder(GetParam()) / "sensitivity.npy");
  std::size_t at = 0;
  for (const auto& [name, values] : listed(*found)) {
    ASSERT_LE(at + values.size(), expected.size()) << name;
    for (const float value : values) {
      ASSERT_NEAR(value, expected[at], 1e-4F * expected[at] + 1e-12F) << name << ", number " << at;
      ++at;
    }
  }
  EXPECT_EQ(at, expected.size());
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenSensitivity, ::testing::Values("llama", "llama3"),
                         [](const auto& param) { return std::string(param.param); });

TEST(Sensitivity, ThreadsChangeNothingAndSeedsDo) {
  const auto one = measure("gemma3", kOptions, 1), three = measure("gemma3", kOptions, 3);
  const auto other = measure("gemma3", {.ctx = 36, .seed = 6}, 1);
  ASSERT_TRUE(one && three && other);
  EXPECT_EQ(listed(*one), listed(*three));
  EXPECT_NE(listed(*one), listed(*other));
}

TEST(Sensitivity, LabelsFollowTheDistribution) {
  const std::vector<float> logits = {0.0F, std::log(2.0F), -INFINITY, std::log(5.0F)};
  std::vector<double> shares(4);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i)
    shares[draw_label(logits, 1, static_cast<std::uint64_t>(i))] += 1.0 / kDraws;
  const std::vector<double> expected = {1.0 / 8, 2.0 / 8, 0, 5.0 / 8};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(shares[i], expected[i], i == 2 ? 0.0 : 0.012) << i;
}

/// Cancels at its n-th report.
class Impatient final : public Progress {
 public:
  void start(std::string_view, std::uint64_t, std::string_view) override {}
  void advance(std::uint64_t, std::string_view) override { ++reports; }
  void finish() override {}
  [[nodiscard]] bool cancelled() const noexcept override { return reports >= 1; }
  int reports = 0;
};

TEST(Sensitivity, StopsWhenItIsAskedTo) {
  ThreadPool pool(1);
  const auto source = ModelSource::open(golden::folder("llama"));
  Impatient progress;
  const auto result = measure_sensitivity(**source, golden::tokens("llama"), kOptions, pool, progress);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(progress.reports, 1);
}

}  // namespace
}  // namespace kerf

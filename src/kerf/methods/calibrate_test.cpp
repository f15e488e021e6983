// Calibration against transformers' own activations, and its independence of the number of threads.
#include "kerf/methods/calibrate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kerf/model/golden.h"
#include "kerf/model/source.h"

namespace kerf {
namespace {

/// Whatever the text, its tokens are those of the golden checkpoint.
class GoldenTokenizer final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, EncodeOptions) const override {
    return text.empty() ? std::vector<TokenId>{} : golden::tokens("llama");
  }
  [[nodiscard]] std::string token_bytes(TokenId, bool) const override { return "x"; }
  [[nodiscard]] std::string_view piece(TokenId) const override { return "x"; }
  [[nodiscard]] std::size_t vocabulary_size() const noexcept override { return 112; }
  [[nodiscard]] bool is_special(TokenId) const noexcept override { return false; }
  [[nodiscard]] TokenId bos() const noexcept override { return -1; }
  [[nodiscard]] TokenId eos() const noexcept override { return -1; }
  [[nodiscard]] bool ends_text(TokenId) const noexcept override { return false; }
  [[nodiscard]] bool adds_bos() const noexcept override { return false; }
  [[nodiscard]] bool strips_leading_blank() const noexcept override { return false; }
};

Result<CalibrationRun> run(const std::vector<CalibrationText>& texts, const CalibrationOptions& options,
                           unsigned n_threads = 1) {
  ThreadPool pool(n_threads);
  KERF_TRY(std::shared_ptr<const ModelSource> source, ModelSource::open(golden::folder("llama")));
  KERF_TRY(const auto model, Model::load(source, pool));
  SilentProgress progress;
  return calibrate(*model, GoldenTokenizer(), texts, options, pool, progress);
}

const std::vector<CalibrationText> kText = {{"golden", {"text"}}};

/// Of every observer at every site.
std::vector<ObserverState> states(const Calibration& calibration) {
  std::vector<ObserverState> list;
  for (const auto& [key, observer] : calibration.entries()) list.push_back(observer->state());
  return list;
}

TEST(Calibrate, SeesWhatTransformersSees) {
  const auto seen = run(kText, {.ctx = golden::tokens("llama").size()});
  ASSERT_TRUE(seen) << seen.error().message();
  const auto matrix = seen->calibration.importance_matrix();
  ASSERT_TRUE(matrix) << matrix.error().message();
  std::ifstream file(golden::folder("llama") / "second_moments.json");
  const auto expected = nlohmann::json::parse(file);
  EXPECT_EQ(matrix->weights.size(), expected.size());
  for (const auto& [weight, values] : expected.items()) {
    const Importance* entry = matrix->find(weight);
    ASSERT_NE(entry, nullptr) << weight;
    ASSERT_EQ(entry->n_columns, values.size()) << weight;
    for (std::size_t k = 0; k < values.size(); ++k)
      EXPECT_NEAR(entry->mean_square[k], values[k].get<double>(), 2e-5 * values[k].get<double>() + 1e-9)
          << weight << ", column " << k;
  }
}

CalibrationOptions every_observer(std::size_t ctx) {
  const auto kinds = all_observers();
  return {.observers = {kinds.begin(), kinds.end()}, .ctx = ctx};
}

TEST(Calibrate, ThreadsChangeNothing) {
  const auto one = run(kText, every_observer(16), 1);
  const auto three = run(kText, every_observer(16), 3);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(states(one->calibration), states(three->calibration));
}

TEST(Calibrate, PartsMakeTheWhole) {
  const auto whole = run(kText, every_observer(16));
  CalibrationOptions options = every_observer(16);
  options.n_parts = 3;
  options.part = 2;
  auto parts = run(kText, options);
  for (const std::size_t part : {0, 1}) {
    options.part = part;
    const auto more = run(kText, options);
    ASSERT_TRUE(more && parts);
    ASSERT_TRUE(parts->calibration.merge(more->calibration));
  }
  ASSERT_TRUE(whole);
  EXPECT_EQ(states(parts->calibration), states(whole->calibration));
}

TEST(Calibrate, CountsWindowsOfEachText) {
  EXPECT_EQ(run({{"a", {"x"}}, {"b", {"x"}}}, {.ctx = 20})->n_windows, 6U)
      << "72 tokens hold three windows of 20";
  EXPECT_EQ(run({{"a", {"x"}}, {"b", {"x"}}}, {.ctx = 20, .n_windows = 2})->n_windows, 2U);
  EXPECT_EQ(run({{"a", {"x"}}, {"b", {"x"}}}, {.ctx = 20, .part = 1, .n_parts = 4})->n_windows, 2U);
}

TEST(Calibrate, RefusesWhatItCannotRead) {
  EXPECT_EQ(run({{"empty", {""}}}, {.ctx = 16}).error().kind, ErrorKind::input);
  EXPECT_EQ(run(kText, {.ctx = 2}).error().kind, ErrorKind::usage);
  EXPECT_EQ(run(kText, {.ctx = 100000}).error().kind, ErrorKind::usage);
  EXPECT_EQ(run(kText, {.ctx = 16, .part = 3, .n_parts = 3}).error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace kerf

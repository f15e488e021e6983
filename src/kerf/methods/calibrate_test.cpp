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

Result<ImportanceMatrix> calibrate(const std::vector<CalibrationText>& texts,
                                   const CalibrationOptions& options, unsigned n_threads = 1) {
  ThreadPool pool(n_threads);
  KERF_TRY(std::shared_ptr<const ModelSource> source, ModelSource::open(golden::folder("llama")));
  KERF_TRY(const auto model, Model::load(source, pool));
  SilentProgress progress;
  return calibrate_importance(*model, GoldenTokenizer(), texts, options, pool, progress);
}

const std::vector<CalibrationText> kText = {{"golden", "text"}};

TEST(Calibrate, SeesWhatTransformersSees) {
  const auto matrix = calibrate(kText, {.ctx = golden::tokens("llama").size()});
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

TEST(Calibrate, ThreadsChangeNothing) {
  const auto one = calibrate(kText, {.ctx = 16}, 1);
  const auto three = calibrate(kText, {.ctx = 16}, 3);
  ASSERT_TRUE(one && three);
  for (const auto& [weight, entry] : one->weights)
    EXPECT_EQ(entry.mean_square, three->find(weight)->mean_square) << weight;
}

TEST(Calibrate, CountsWindowsOfEachText) {
  const auto all = calibrate({{"a", "x"}, {"b", "x"}}, {.ctx = 20});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->n_chunks, 6U) << "72 tokens hold three windows of 20";
  EXPECT_EQ(all->datasets, (std::vector<std::string>{"a", "b"}));
  const auto some = calibrate({{"a", "x"}, {"b", "x"}}, {.ctx = 20, .n_windows = 2});
  ASSERT_TRUE(some);
  EXPECT_EQ(some->n_chunks, 2U);
}

TEST(Calibrate, RefusesWhatItCannotRead) {
  EXPECT_EQ(calibrate({{"empty", ""}}, {.ctx = 16}).error().kind, ErrorKind::input);
  EXPECT_EQ(calibrate(kText, {.ctx = 2}).error().kind, ErrorKind::usage);
  EXPECT_EQ(calibrate(kText, {.ctx = 100000}).error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace kerf

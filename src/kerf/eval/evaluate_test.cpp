// The protocols, on a model whose probabilities are known: it predicts token (last + 1) mod V with logit
// `sharpness` and everything else with 0.
#include "kerf/eval/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/kv/kv_cache.h"

namespace kerf {
namespace {

constexpr std::size_t kVocabulary = 11;

class SuccessorModel final : public Model {
 public:
  explicit SuccessorModel(float sharpness, std::size_t n_vocabulary = kVocabulary) : sharpness_(sharpness) {
    config_.n_vocabulary = n_vocabulary;
    config_.context_length = 64;
  }
  [[nodiscard]] const ModelConfig& config() const noexcept override { return config_; }
  [[nodiscard]] const std::vector<std::string>& unused_tensors() const noexcept override { return unused_; }
  [[nodiscard]] std::unique_ptr<KvCache> make_cache(std::size_t capacity) const override {
    return make_f32_cache({.n_layers = 1, .n_heads = 1, .head_width = 1, .capacity = capacity});
  }
  Result<void> forward(std::span<const TokenId> tokens, KvCache& cache, std::size_t n_logits,
                       float* logits) override {
    KERF_CHECK_OK(cache.reserve(tokens.size()));
    if (cache.length() == 0) first_tokens.push_back(tokens[0]);
    cache.advance(tokens.size());
    for (std::size_t i = 0; i < n_logits; ++i) {
      float* row = logits + i * config_.n_vocabulary;
      std::fill(row, row + config_.n_vocabulary, poison);
      row[(static_cast<std::size_t>(tokens[tokens.size() - n_logits + i]) + 1) % config_.n_vocabulary] +=
          sharpness_;
    }
    return {};
  }
  void set_engine(LinearEngine*) noexcept override {}
  void set_tap(ActivationTap*) noexcept override {}
  std::vector<TokenId> first_tokens;
  float poison = 0;

 private:
  ModelConfig config_;
  std::vector<std::string> unused_;
  float sharpness_;
};

/// Token = letter − 'a'; 'z' is BOS number 10.
class LetterTokenizer final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override {
    std::vector<TokenId> ids;
    if (options.add_special) ids.push_back(bos());
    for (const char c : text) ids.push_back(c - 'a');
    return ids;
  }
  [[nodiscard]] std::string token_bytes(TokenId id, bool) const override {
    return {static_cast<char>('a' + id)};
  }
  [[nodiscard]] std::string_view piece(TokenId) const override { return "x"; }
  [[nodiscard]] std::size_t vocabulary_size() const noexcept override { return kVocabulary; }
  [[nodiscard]] bool is_special(TokenId id) const noexcept override { return id == bos(); }
  [[nodiscard]] TokenId bos() const noexcept override { return 10; }
  [[nodiscard]] TokenId eos() const noexcept override { return -1; }
  [[nodiscard]] bool ends_text(TokenId) const noexcept override { return false; }
  [[nodiscard]] bool adds_bos() const noexcept override { return true; }
  [[nodiscard]] bool strips_leading_blank() const noexcept override { return false; }
};

std::string alphabet(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < n; ++i) text += static_cast<char>('a' + i % kVocabulary);
  return text;
}

Result<EvalResult> run(Model& model, Model* base, std::size_t letters, EvalOptions options) {
  ThreadPool pool(2);
  SilentProgress progress;
  return evaluate(model, base, LetterTokenizer(), alphabet(letters), options, pool, progress);
}

TEST(Evaluate, LlamacppScoresTheSecondHalfAndPutsBosInFront) {
  SuccessorModel model(3);
  const auto result = run(model, nullptr, 40, {.protocol = Protocol::llamacpp, .ctx = 16, .n_chunks = 0});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->n_windows, 2U);
  EXPECT_EQ(result->tokens_scored, 2U * 7);  // positions 8 … 14 predict 9 … 15
  EXPECT_EQ(model.first_tokens, (std::vector<TokenId>{10, 10}));
  const double nll = std::log(std::exp(3.0) + kVocabulary - 1) - 3;
  EXPECT_NEAR(result->nll_mean, nll, 1e-12);
  EXPECT_NEAR(result->perplexity, std::exp(nll), 1e-12);
  EXPECT_NEAR(result->bits_per_byte, nll / std::log(2.0), 1e-12);
}

TEST(Evaluate, PapersScoreAllButTheFirstTokenWithoutBos) {
  SuccessorModel model(3);
  const auto result = run(model, nullptr, 40, {.protocol = Protocol::papers, .ctx = 16, .n_chunks = 1});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->tokens_scored, 15U);
  EXPECT_EQ(model.first_tokens, (std::vector<TokenId>{0}));
}

TEST(Evaluate, ComparisonWithABase) {
  SuccessorModel model(2);
  SuccessorModel base(4);
  const auto result = run(model, &base, 64, {.protocol = Protocol::papers, .ctx = 32, .n_chunks = 0});
  ASSERT_TRUE(result && result->comparison);
  const double rest = kVocabulary - 1;
  const double p = std::exp(4.0) / (std::exp(4.0) + rest);
  const double q = std::exp(2.0) / (std::exp(2.0) + rest);
  const double kl = p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
  EXPECT_NEAR(result->comparison->kld_mean, kl, 1e-12);
  EXPECT_NEAR(result->comparison->kld_max, kl, 1e-12);
  EXPECT_NEAR(result->comparison->perplexity_base, 1 / p, 1e-12);
  EXPECT_NEAR(result->comparison->delta_p_rms, 100 * (p - q), 1e-10);
  EXPECT_EQ(result->comparison->same_top_percent, 100);
}

TEST(Evaluate, BadRequestsAreOneSentence) {
  SuccessorModel model(3);
  SuccessorModel other(3, kVocabulary + 1);
  EXPECT_EQ(run(model, nullptr, 10, {.protocol = Protocol::papers, .ctx = 16}).error().kind,
            ErrorKind::input);
  EXPECT_EQ(run(model, nullptr, 40, {.protocol = Protocol::papers, .ctx = 65}).error().kind,
            ErrorKind::usage);
  EXPECT_EQ(run(model, nullptr, 40, {.protocol = Protocol::papers, .ctx = 1}).error().kind, ErrorKind::usage);
  EXPECT_EQ(run(model, &other, 40, {.protocol = Protocol::papers, .ctx = 16}).error().kind, ErrorKind::input);
  model.poison = std::nanf("");
  EXPECT_EQ(run(model, nullptr, 40, {.protocol = Protocol::papers, .ctx = 16}).error().kind,
            ErrorKind::numeric);
}

}  // namespace
}  // namespace kerf

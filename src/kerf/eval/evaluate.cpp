#include "kerf/eval/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "kerf/eval/logit_statistics.h"
#include "kerf/eval/statistics.h"

namespace kerf {
namespace {

// Tokens per forward call where logits are wanted: bounds the logits buffer to 128 · V floats.
constexpr std::size_t kBatch = 128;

/// What was measured at every scored position, in text order.
struct Samples {
  std::vector<double> nll, nll_base, kl, delta_p;
  std::uint64_t same_top = 0;
  std::uint64_t n_bytes = 0;

  void add(const TokenScore& score) { nll.push_back(score.nll); }
  void add(const PairScore& pair) {
    add(pair.model);
    nll_base.push_back(pair.base.nll);
    kl.push_back(pair.kl);
    delta_p.push_back(pair.model.probability - pair.base.probability);
    same_top += pair.model.top == pair.base.top ? 1 : 0;
  }
};

/// One model with what it needs to score windows.
struct Runner {
  Model& model;
  std::unique_ptr<KvCache> cache;
  std::vector<float> logits;  // [kBatch, V]

  Runner(Model& m, std::size_t ctx)
      : model(m), cache(m.make_cache(ctx)), logits(kBatch * m.config().n_vocabulary) {}

  [[nodiscard]] const float* row(std::size_t i) const {
    return logits.data() + i * model.config().n_vocabulary;
  }
};

std::size_t first_scored(Protocol protocol, std::size_t ctx) {
  return protocol == Protocol::llamacpp ? ctx / 2 : 0;
}

class Evaluation {
 public:
  Evaluation(Model& model, Model* base, const EvalOptions& options, std::size_t ctx, ThreadPool& pool)
      : pool_(pool), first_(first_scored(options.protocol, ctx)), runner_(model, ctx) {
    if (base != nullptr) base_.emplace(*base, ctx);
  }

  /// Scores one window: the token after each position from first_ on.
  Result<void> run(std::span<const TokenId> window, const Tokenizer& tokenizer) {
    rewind();
    KERF_CHECK_OK(forward(window.first(first_), 0));
    for (std::size_t begin = first_; begin + 1 < window.size(); begin += kBatch) {
      const std::size_t n = std::min(kBatch, window.size() - 1 - begin);
      KERF_CHECK_OK(forward(window.subspan(begin, n), n));
      KERF_CHECK_OK(score(window.subspan(begin + 1, n)));
    }
    for (const TokenId id : window.subspan(first_ + 1))
      samples_.n_bytes += tokenizer.token_bytes(id, true).size();
    return {};
  }

  [[nodiscard]] const Samples& samples() const { return samples_; }
  [[nodiscard]] bool has_base() const { return base_.has_value(); }

 private:
  void rewind() {
    runner_.cache->truncate(0);
    if (base_) base_->cache->truncate(0);
  }

  Result<void> forward(std::span<const TokenId> tokens, std::size_t n_logits) {
    if (tokens.empty()) return {};
    KERF_CHECK_OK(runner_.model.forward(tokens, *runner_.cache, n_logits, runner_.logits.data()));
    if (base_) KERF_CHECK_OK(base_->model.forward(tokens, *base_->cache, n_logits, base_->logits.data()));
    return {};
  }

  /// Position i of the batch predicts next[i].
  Result<void> score(std::span<const TokenId> next) {
    const std::size_t n_vocabulary = runner_.model.config().n_vocabulary;
    std::vector<PairScore> scores(next.size());
    pool_.parallel_for(next.size(), 4, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t i = begin; i < end; ++i) {
        if (base_)
          scores[i] = score_pair(runner_.row(i), base_->row(i), n_vocabulary, next[i]);
        else
          scores[i].model = score_token(runner_.row(i), n_vocabulary, next[i]);
      }
    });
    for (const PairScore& score : scores) {
      if (!std::isfinite(score.model.nll) || !std::isfinite(score.base.nll))
        return fail(ErrorKind::numeric, "",
                    fmt::format("logits of the {} are not finite after {} scored tokens; "
                                "«kerf verify» finds broken weights",
                                std::isfinite(score.model.nll) ? "base" : "model", samples_.nll.size()));
      base_ ? samples_.add(score) : samples_.add(score.model);
    }
    return {};
  }

  ThreadPool& pool_;
  std::size_t first_;
  Runner runner_;
  std::optional<Runner> base_;
  Samples samples_;
};

double rms(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

/// `ascending` divergences.
std::vector<TailPoint> tail_of(std::span<const double> ascending) {
  const auto n = static_cast<double>(ascending.size());
  std::vector<TailPoint> out;
  for (int step = 0;; ++step) {
    const double share = std::pow(10.0, -step / 8.0);
    const bool last = share <= 1 / n;
    out.push_back(last ? TailPoint{1 / n, ascending.back()}
                       : TailPoint{share, quantile(ascending, 1 - share)});
    if (last) return out;
  }
}

Comparison compare(const Samples& samples) {
  const auto n = static_cast<double>(samples.nll.size());
  std::vector<double> difference(samples.nll.size());
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] = samples.nll[i] - samples.nll_base[i];
  std::vector<double> kl = samples.kl;
  std::sort(kl.begin(), kl.end());
  const Moments kl_moments = moments_of(samples.kl);
  const Moments ratio = moments_of(difference);
  const double same = static_cast<double>(samples.same_top) / n;
  Comparison c;
  c.perplexity_base = std::exp(moments_of(samples.nll_base).mean);
  c.perplexity_ratio = std::exp(ratio.mean);
  c.perplexity_ratio_se = c.perplexity_ratio * ratio.standard_error;
  c.kld_mean = kl_moments.mean;
  c.kld_se = kl_moments.standard_error;
  c.kld_median = quantile(kl, 0.5);
  c.kld_p90 = quantile(kl, 0.9);
  c.kld_p95 = quantile(kl, 0.95);
  c.kld_p99 = quantile(kl, 0.99);
  c.kld_p999 = quantile(kl, 0.999);
  c.kld_max = kl.back();
  c.kld_tail = tail_of(kl);
  c.same_top_percent = 100 * same;
  c.same_top_percent_se = n > 1 ? 100 * std::sqrt(same * (1 - same) / (n - 1)) : 0;
  c.delta_p_mean = 100 * moments_of(samples.delta_p).mean;
  c.delta_p_rms = 100 * rms(samples.delta_p);
  return c;
}

EvalResult summarise(const Samples& samples, bool has_base) {
  const Moments nll = moments_of(samples.nll);
  EvalResult result;
  result.nll_mean = nll.mean;
  result.perplexity = std::exp(nll.mean);
  result.perplexity_se = result.perplexity * nll.standard_error;
  result.tokens_scored = samples.nll.size();
  const double bits = nll.mean * static_cast<double>(samples.nll.size()) / std::numbers::ln2;
  result.bits_per_byte = samples.n_bytes > 0 ? bits / static_cast<double>(samples.n_bytes) : 0;
  if (has_base) result.comparison = compare(samples);
  return result;
}

Result<std::size_t> window_size(const Model& model, const Model* base, const EvalOptions& options) {
  std::size_t limit = model.config().context_length;
  if (base != nullptr) {
    if (base->config().n_vocabulary != model.config().n_vocabulary)
      return fail(ErrorKind::input, "",
                  fmt::format("the vocabularies differ: the model has {} tokens, the base {}; "
                              "compare models of one family",
                              model.config().n_vocabulary, base->config().n_vocabulary));
    limit = std::min(limit, base->config().context_length);
  }
  const std::size_t usual = options.protocol == Protocol::llamacpp ? 512 : 2048;
  if (options.ctx == 0) return std::min(usual, limit);
  if (options.ctx < 4) return fail(ErrorKind::usage, "--ctx", "a window needs at least 4 tokens");
  if (options.ctx > limit)
    return fail(ErrorKind::usage, "--ctx",
                fmt::format("{} is beyond the model's context of {} tokens", options.ctx, limit));
  return options.ctx;
}

}  // namespace

Result<EvalResult> evaluate(Model& model, Model* base, const Tokenizer& tokenizer, std::string_view text,
                            const EvalOptions& options, ThreadPool& pool, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  KERF_TRY(const std::size_t ctx, window_size(model, base, options));
  const bool llamacpp = options.protocol == Protocol::llamacpp;
  std::vector<TokenId> tokens = tokenizer.encode(text, {.parse_special = false, .add_special = llamacpp});
  std::size_t n_windows = tokens.size() / ctx;
  if (n_windows == 0)
    return fail(
        ErrorKind::input, "",
        fmt::format("the text has {} tokens, less than one window of {}; give more text or a smaller --ctx",
                    tokens.size(), ctx));
  if (options.n_chunks > 0) n_windows = std::min(n_windows, options.n_chunks);
  Evaluation evaluation(model, base, options, ctx, pool);
  progress.start("evaluating", n_windows, "windows");
  for (std::size_t w = 0; w < n_windows; ++w) {
    const std::span<TokenId> window(tokens.data() + w * ctx, ctx);
    if (llamacpp && tokenizer.adds_bos()) window[0] = tokenizer.bos();
    KERF_CHECK_OK(evaluation.run(window, tokenizer));
    const EvalResult so_far = summarise(evaluation.samples(), evaluation.has_base());
    progress.advance(w + 1, fmt::format("perplexity {:.4f}", so_far.perplexity));
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted");
  }
  progress.finish();
  EvalResult result = summarise(evaluation.samples(), evaluation.has_base());
  result.n_windows = n_windows;
  result.ctx = ctx;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace kerf

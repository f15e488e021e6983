// Perplexity of a text under a model, and how far the model's predictions are from those of a base model that
// runs beside it: no logits are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/model/model.h"
#include "kerf/text/tokenizer.h"

namespace kerf {

/// The two conventions that published figures follow; perplexities of different ones do not compare.
enum class Protocol : std::uint8_t {
  /// Text cut into windows of ctx (512) tokens, the first replaced by BOS where the vocabulary adds one; the
  /// second half of each window is scored.
  llamacpp,
  /// Text cut into windows of ctx (2048) tokens without BOS; all but the first token of each are scored.
  papers,
};

struct EvalOptions {
  Protocol protocol = Protocol::llamacpp;
  std::size_t ctx = 0;       ///< window in tokens; 0 takes the protocol's own
  std::size_t n_chunks = 0;  ///< score only the first windows; 0 scores all
};

/// A point of the tail: this share of the tokens has at least this divergence.
struct TailPoint {
  double share = 0;
  double kld = 0;
};

struct Comparison {
  double perplexity_base = 0;
  double perplexity_ratio = 0;     ///< exp(mean(nll − nll_base))
  double perplexity_ratio_se = 0;  ///< from the paired difference
  double kld_mean = 0, kld_se = 0, kld_median = 0, kld_p90 = 0, kld_p95 = 0, kld_p99 = 0, kld_p999 = 0,
         kld_max = 0;
  /// Shares from 1 down to one token, eight to a decade, and the divergence that each exceeds; descending.
  std::vector<TailPoint> kld_tail;
  double same_top_percent = 0, same_top_percent_se = 0;
  double delta_p_mean = 0;  ///< percent: p_model(token) − p_base(token)
  double delta_p_rms = 0;   ///< percent
};

struct EvalResult {
  double perplexity = 0;
  double perplexity_se = 0;
  double nll_mean = 0;  ///< nats per token
  double bits_per_byte = 0;
  std::uint64_t tokens_scored = 0;
  std::uint64_t n_windows = 0;
  std::size_t ctx = 0;
  double seconds = 0;
  std::optional<Comparison> comparison;  ///< with a base
};

/// Runs `model`, and `base` if not null, over `text`. The result does not depend on the number of threads.
/// Errors: usage (ctx too small or beyond the model's), input (text too short for one window, vocabularies
/// differ), numeric (NaN logits, naming the position), cancelled.
Result<EvalResult> evaluate(Model& model, Model* base, const Tokenizer& tokenizer, std::string_view text,
                            const EvalOptions& options, ThreadPool& pool, Progress& progress);

}  // namespace kerf

// Choosing the next token from logits. The filters and their order are those that llama.cpp documents as its
// default chain: repetition penalty, top-k, top-p, min-p, temperature, then a draw.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/base/rng.h"
#include "kerf/text/tokenizer.h"

namespace kerf {

struct SamplerOptions {
  double temperature = 0.8;  ///< divides the logits; 0: always the most likely token
  std::size_t top_k = 40;    ///< keep the k most likely; 0: all
  double top_p = 0.95;       ///< keep the fewest that reach this probability together; 1: all
  double min_p = 0.05;       ///< keep those at least this likely relative to the likeliest; 0: all
  double repeat_penalty =
      1.0;  ///< for tokens of the window: positive logits are divided by it, others multiplied
  std::size_t repeat_window = 64;  ///< last tokens that count as repeated
  std::uint64_t seed = 0;
};

/// A token that passed the filters.
struct Candidate {
  TokenId id;
  float logit;         ///< after the repetition penalty
  double probability;  ///< that it is drawn; all candidates together 1
};

class Sampler {
 public:
  /// Errors: usage (an option out of its range).
  static Result<Sampler> create(const SamplerOptions& options);

  /// Remembers a token of the prompt or of the answer, for the repetition penalty.
  void accept(TokenId token);
  /// The tokens that may be drawn, most likely first; equal logits in the order of their ids.
  /// Errors: numeric (no logits, NaN, or +∞ among them; −∞ is a token that cannot occur).
  [[nodiscard]] Result<std::vector<Candidate>> candidates(std::span<const float> logits) const;
  /// Draws one of candidates(). The same seed, calls and logits give the same tokens. Does not accept() it.
  [[nodiscard]] Result<TokenId> sample(std::span<const float> logits);

 private:
  explicit Sampler(const SamplerOptions& options) : options_(options), rng_(options.seed) {}
  void penalize(std::vector<Candidate>& candidates) const;

  SamplerOptions options_;
  Rng rng_;
  std::deque<TokenId> window_;  // the last repeat_window tokens
};

}  // namespace kerf

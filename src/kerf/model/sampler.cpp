#include "kerf/model/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kerf {
namespace {

bool more_likely(const Candidate& a, const Candidate& b) noexcept {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

Result<std::vector<Candidate>> all_tokens(std::span<const float> logits) {
  std::vector<Candidate> tokens;
  tokens.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]) || logits[i] == std::numeric_limits<float>::infinity())
      return fail(ErrorKind::numeric, "logits", fmt::format("the logit of token {} is {}", i, logits[i]));
    if (std::isfinite(logits[i])) tokens.push_back({static_cast<TokenId>(i), logits[i], 0.0});
  }
  if (tokens.empty()) return fail(ErrorKind::numeric, "logits", "no token can occur");
  return tokens;
}

/// Sorts, most likely first, and keeps the k first.
void keep_top_k(std::vector<Candidate>& tokens, std::size_t k) {
  k = k == 0 ? tokens.size() : std::min(k, tokens.size());
  std::partial_sort(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(k), tokens.end(),
                    more_likely);
  tokens.resize(k);
}

/// probability = softmax(logit / temperature); tokens are sorted.
void set_probabilities(std::vector<Candidate>& tokens, double temperature) {
  const double highest = tokens.front().logit;
  double sum = 0;
  for (Candidate& token : tokens) sum += token.probability = std::exp((token.logit - highest) / temperature);
  for (Candidate& token : tokens) token.probability /= sum;
}

/// Nucleus sampling (Holtzman et al. 2020): the fewest tokens that together reach p, one at least.
void keep_top_p(std::vector<Candidate>& tokens, double p) {
  if (p >= 1.0) return;
  set_probabilities(tokens, 1.0);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < tokens.size() && (kept == 0 || sum < p)) sum += tokens[kept++].probability;
  tokens.resize(kept);
}

/// Min-p sampling (Nguyen et al. 2024): those at least p times as likely as the first.
void keep_min_p(std::vector<Candidate>& tokens, double p) {
  if (p <= 0.0) return;
  const double lowest = tokens.front().logit + std::log(p);
  const auto cut = std::find_if(tokens.begin() + 1, tokens.end(),
                                [lowest](const Candidate& token) { return token.logit < lowest; });
  tokens.erase(cut, tokens.end());
}

}  // namespace

Result<Sampler> Sampler::create(const SamplerOptions& options) {
  const auto check = [](bool good, const char* name, double value, const char* range) -> Result<void> {
    if (good) return {};
    return fail(ErrorKind::usage, name, fmt::format("{} is not {}", value, range));
  };
  const SamplerOptions& o = options;
  KERF_CHECK_OK(check(o.temperature >= 0 && std::isfinite(o.temperature), "temperature", o.temperature,
                      "a number from 0 up"));
  KERF_CHECK_OK(check(o.top_p >= 0 && o.top_p <= 1, "top-p", o.top_p, "between 0 and 1"));
  KERF_CHECK_OK(check(o.min_p >= 0 && o.min_p <= 1, "min-p", o.min_p, "between 0 and 1"));
  KERF_CHECK_OK(check(o.repeat_penalty > 0 && std::isfinite(o.repeat_penalty), "repeat penalty",
                      o.repeat_penalty, "a number above 0"));
  return Sampler(options);
}

void Sampler::accept(TokenId token) {
  if (options_.repeat_window == 0) return;
  if (window_.size() == options_.repeat_window) window_.pop_front();
  window_.push_back(token);
}

/// Keskar et al. 2019, «CTRL», §4.1; negative logits are multiplied, so that the penalty never helps.
void Sampler::penalize(std::vector<Candidate>& candidates) const {
  if (options_.repeat_penalty == 1.0 || window_.empty()) return;
  std::vector<TokenId> repeated(window_.begin(), window_.end());
  std::sort(repeated.begin(), repeated.end());
  const auto penalty = static_cast<float>(options_.repeat_penalty);
  for (Candidate& token : candidates)
    if (std::binary_search(repeated.begin(), repeated.end(), token.id))
      token.logit = token.logit > 0 ? token.logit / penalty : token.logit * penalty;
}

Result<std::vector<Candidate>> Sampler::candidates(std::span<const float> logits) const {
  KERF_TRY(std::vector<Candidate> tokens, all_tokens(logits));
  penalize(tokens);
  if (options_.temperature == 0) {
    keep_top_k(tokens, 1);
    tokens.front().probability = 1.0;
    return tokens;
  }
  keep_top_k(tokens, options_.top_k);
  keep_top_p(tokens, options_.top_p);
  keep_min_p(tokens, options_.min_p);
  set_probabilities(tokens, options_.temperature);
  return tokens;
}

Result<TokenId> Sampler::sample(std::span<const float> logits) {
  KERF_TRY(const std::vector<Candidate> tokens, candidates(logits));
  if (tokens.size() == 1) return tokens.front().id;
  double rest = rng_.uniform();
  for (const Candidate& token : tokens) {
    rest -= token.probability;
    if (rest < 0) return token.id;
  }
  return tokens.back().id;  // rounding left a little of the unit interval over
}

}  // namespace kerf

// What one row of logits says about the token that came next, and about another model's row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kerf {

/// One position scored by one model.
struct TokenScore {
  double nll = 0;  ///< −ln p(token), nats
  double probability = 0;
  std::int32_t top = 0;  ///< argmax, the first of equals
};

/// One position scored by two models.
struct PairScore {
  TokenScore model;
  TokenScore base;
  double kl = 0;  ///< Σ p_base ln(p_base / p_model) over the whole vocabulary, nats
};

/// logits[V], all sums in double. `token` is in [0, V).
[[nodiscard]] TokenScore score_token(const float* logits, std::size_t n_vocabulary,
                                     std::int32_t token) noexcept;

/// The same for both rows and their Kullback-Leibler divergence.
[[nodiscard]] PairScore score_pair(const float* logits, const float* base_logits, std::size_t n_vocabulary,
                                   std::int32_t token) noexcept;

}  // namespace kerf

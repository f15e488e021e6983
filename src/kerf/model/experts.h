// Mixtures of experts: the router's choice, and the feed-forward networks that it chooses from. What flows
// into an expert lies together, so that calibration sees each expert's own tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/model/config.h"
#include "kerf/model/weights.h"

namespace kerf {

/// Which experts see which tokens. A slot is one token at one expert; slots lie in the order of experts, and
/// those of one expert in the order of tokens.
struct Routing {
  std::vector<std::size_t> first_slot;  ///< [E + 1]: expert e has slots first_slot[e] … first_slot[e + 1] − 1
  std::vector<std::int32_t> tokens;  ///< [T·k], of each slot
  std::vector<float> weights;        ///< [T·k], what the expert's output is multiplied with

  [[nodiscard]] std::size_t n_experts() const noexcept { return first_slot.size() - 1; }
  [[nodiscard]] std::size_t n_tokens(std::size_t expert) const noexcept {
    return first_slot[expert + 1] - first_slot[expert];
  }
};

/// The k most probable experts of each token, by the softmax over the router's logits [T, E]; of equal ones
/// the first. `normalize` divides a token's k probabilities by their sum (Jiang et al. 2024, «Mixtral of
/// Experts», §2.1: the same as a softmax over the k logits). A logit that is NaN counts as −∞.
[[nodiscard]] Routing route(std::span<const float> logits, std::size_t n_tokens, std::size_t n_used,
                            bool normalize);

/// rows[s, :] = x[tokens[s], :] for all slots, x [T, C].
void gather_slots(const Routing& routing, const float* x, std::size_t width, float* rows, ThreadPool& pool);

/// inner[s, :] = f(gate·x) · (up·x) by the slot's expert, of x [T·k, C] to inner [T·k, F]; `projected` is
/// room for [T·k, 2F].
void experts_inner(const ModelConfig& config, const LayerWeights& layer, const Routing& routing,
                   const float* x, float* projected, float* inner, ThreadPool& pool);

/// sum[t, :] = Σ over the token's slots of weight · down·inner, in the order of experts; inner [T·k, F], sum
/// [T, C]; `outputs` is room for [T·k, C].
void experts_output(const ModelConfig& config, const LayerWeights& layer, const Routing& routing,
                    const float* inner, std::size_t n_tokens, float* outputs, float* sum, ThreadPool& pool);

}  // namespace kerf

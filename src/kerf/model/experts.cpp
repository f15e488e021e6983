#include "kerf/model/experts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kerf/kernels/kernel.h"
#include "kerf/model/mlp.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

/// A token's experts and their weights, the most probable first.
struct Choice {
  std::vector<std::size_t> experts;  // [k]
  std::vector<float> weights;        // [k]
};

Choice choose(std::span<const float> logits, std::size_t n_used, bool normalize) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const auto logit = [&](std::size_t e) { return std::isnan(logits[e]) ? kNever : logits[e]; };
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logit(a) > logit(b); });
  const float top = logit(order[0]);
  // All −∞, or a +∞: the exponentials would be NaN.
  const auto exponential = [&](std::size_t e) {
    return logit(e) == top ? 1.0 : std::exp(static_cast<double>(logit(e)) - top);
  };
  Choice choice{{order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_used)}, {}};
  double sum = 0;
  for (const std::size_t e : normalize ? choice.experts : order) sum += exponential(e);
  for (const std::size_t e : choice.experts)
    choice.weights.push_back(static_cast<float>(exponential(e) / sum));
  return choice;
}

}  // namespace

Routing route(std::span<const float> logits, std::size_t n_tokens, std::size_t n_used, bool normalize) {
  const std::size_t n_experts = logits.size() / n_tokens;
  std::vector<Choice> choices;
  Routing routing{std::vector<std::size_t>(n_experts + 1, 0), {}, {}};
  for (std::size_t t = 0; t < n_tokens; ++t) {
    choices.push_back(choose(logits.subspan(t * n_experts, n_experts), n_used, normalize));
    for (const std::size_t e : choices.back().experts) ++routing.first_slot[e + 1];
  }
  std::partial_sum(routing.first_slot.begin(), routing.first_slot.end(), routing.first_slot.begin());
  routing.tokens.resize(n_tokens * n_used);
  routing.weights.resize(n_tokens * n_used);
  std::vector<std::size_t> next = routing.first_slot;
  for (std::size_t t = 0; t < n_tokens; ++t)
    for (std::size_t i = 0; i < n_used; ++i) {
      const std::size_t slot = next[choices[t].experts[i]]++;
      routing.tokens[slot] = static_cast<std::int32_t>(t);
      routing.weights[slot] = choices[t].weights[i];
    }
  return routing;
}

void gather_slots(const Routing& routing, const float* x, std::size_t width, float* rows, ThreadPool& pool) {
  for_rows(pool, routing.tokens.size(), width, [&](std::size_t slot) {
    std::copy_n(x + static_cast<std::size_t>(routing.tokens[slot]) * width, width, rows + slot * width);
  });
}

void experts_inner(const ModelConfig& config, const LayerWeights& layer, const Routing& routing,
                   const float* x, float* projected, float* inner, ThreadPool& pool) {
  const std::size_t width = config.width, ffn = config.ffn_width;
  for (std::size_t e = 0; e < routing.n_experts(); ++e) {
    const std::size_t first = routing.first_slot[e], n = routing.n_tokens(e);
    if (n > 0)
      linear_stack(layer.experts[e].mlp_input, x + first * width, n, projected + first * 2 * ffn, 2 * ffn,
                   pool);
  }
  gated_activation(config.activation, projected, routing.tokens.size(), ffn, inner, pool);
}

void experts_output(const ModelConfig& config, const LayerWeights& layer, const Routing& routing,
                    const float* inner, std::size_t n_tokens, float* outputs, float* sum, ThreadPool& pool) {
  const std::size_t width = config.width, ffn = config.ffn_width;
  for (std::size_t e = 0; e < routing.n_experts(); ++e) {
    const std::size_t first = routing.first_slot[e], n = routing.n_tokens(e);
    if (n > 0)
      linear(layer.experts[e].mlp_output, inner + first * ffn, n, outputs + first * width, width, pool);
  }
  std::fill_n(sum, n_tokens * width, 0.0F);
  for (std::size_t slot = 0; slot < routing.tokens.size(); ++slot)
    kernels::active_table().axpy_f32(routing.weights[slot], outputs + slot * width,
                                     sum + static_cast<std::size_t>(routing.tokens[slot]) * width, width);
}

}  // namespace kerf

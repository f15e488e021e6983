// One layer of the transformer on a batch of tokens, stage by stage: between two stages lies what flows into
// a weight, so that calibration can look at it and change the weights behind it before the walk goes on.
#pragma once

#include <cstddef>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/kv/kv_cache.h"
#include "kerf/model/attention.h"
#include "kerf/model/config.h"
#include "kerf/model/experts.h"
#include "kerf/model/linear_engine.h"
#include "kerf/model/rope.h"
#include "kerf/model/weights.h"

namespace kerf {

/// The stages of a layer. Each result is the walk's own memory, good until that stage runs again or prepare()
/// is called; T tokens, residual [T, C].
class BlockWalk {
 public:
  /// Of the ends only the RoPE factors are read. `config` and `pool` must outlive the walk.
  BlockWalk(const ModelConfig& config, const ModelEnds& ends, ThreadPool& pool);

  /// Buffers and angles for n tokens at positions first_position …, of a sequence whose cache holds
  /// `capacity` (longrope turns by its long factors beyond the original context).
  void prepare(std::size_t n_tokens, std::size_t first_position, std::size_t capacity);

  /// From now on `engine` multiplies with the weights, linear_stack() again if it is nullptr.
  void set_engine(LinearEngine* engine) noexcept { engine_ = engine; }

  /// What flows into q, k, v: the normed residual, [T, C].
  const float* attention_input(const LayerWeights& layer, const float* residual);
  /// What flows into the attention's output: [T, H·D]. Appends keys and values at `cache_layer`; the caller
  /// advances the cache when all layers have run. `x` is attention_input()'s result.
  const float* attended(const LayerWeights& layer, bool is_local, const float* x, KvCache& cache,
                        std::size_t cache_layer);
  /// The two halves of attended(), for those who want what lies between: queries, keys and values as the
  /// weights give them, and, in the same memory, after their norms and RoPE. [T, (H + 2·H_kv)·D]
  const float* projected(const LayerWeights& layer, const float* x);
  const float* attend(const LayerWeights& layer, bool is_local, KvCache& cache, std::size_t cache_layer,
                      float* log_sums = nullptr);
  /// residual += attention_output(x), x being attended()'s result.
  void add_attention(const LayerWeights& layer, const float* x, float* residual);
  /// What flows into gate and up, and into the router of a mixture of experts: the normed residual, [T, C].
  const float* mlp_input(const LayerWeights& layer, const float* residual);
  /// Mixture of experts, between mlp_input() and mlp_inner(): each token's choice, and mlp_input()'s result x
  /// gathered for the experts, [T·k, C], to be found under routing().
  const float* expert_input(const LayerWeights& layer, const float* x);
  [[nodiscard]] const Routing& routing() const noexcept { return routing_; }
  /// What flows into the MLP's output: [T, F], of experts [T·k, F]. `x` is mlp_input()'s result, or
  /// expert_input()'s.
  const float* mlp_inner(const LayerWeights& layer, const float* x);
  /// residual += mlp_output(x), x being mlp_inner()'s result.
  void add_mlp(const LayerWeights& layer, const float* x, float* residual);

  /// What the last mlp_inner() put into the activation: gate and up side by side, [T, 2F] or [T, F].
  [[nodiscard]] const float* mlp_projected() const noexcept { return mlp_input_.data(); }
  /// What the last add_… added, before its post norm, [T, C].
  [[nodiscard]] const float* added() const noexcept { return sum_.data(); }
  /// Attention as a layer has it, and its turns.
  [[nodiscard]] AttentionShape attention_shape(bool is_local) const noexcept;
  [[nodiscard]] const RopeTable& rope_table(bool is_local) const noexcept {
    return is_local ? local_rope_ : rope_;
  }

 private:
  void multiply(std::span<const Linear> layers, const float* x, float* y, std::size_t y_stride);
  void add(const Linear& linear, const std::optional<Norm>& post_norm, const float* x, float* residual);
  void add_sum(const std::optional<Norm>& post_norm, float* residual);

  const ModelConfig& config_;
  ThreadPool& pool_;
  LinearEngine* engine_ = nullptr;
  RopeFrequencies frequencies_;
  RopeFrequencies long_frequencies_;  // longrope beyond the original context
  RopeFrequencies local_frequencies_;
  bool has_long_factors_;
  std::size_t n_tokens_ = 0;
  std::vector<float> normed_;     // [T, C]
  std::vector<float> qkv_;        // [T, (H + 2·H_kv)·D]
  std::vector<float> attended_;   // [T, H·D]
  std::vector<float> mlp_input_;  // [T, 2F] or [T, F]
  std::vector<float> mlp_inner_;  // [T, F]; here and above, experts have T·k instead of T
  Routing routing_;
  std::vector<float> router_logits_;   // [T, E]
  std::vector<float> expert_rows_;     // [T·k, C]: inputs
  std::vector<float> expert_outputs_;  // [T·k, C]
  std::vector<float> sum_;             // [T, C]: what a block adds to the residual
  std::vector<float> post_normed_;
  RopeTable rope_;
  RopeTable local_rope_;
  AttentionScratch attention_;
};

/// residual[t, :] = the embedding of tokens[t] at position first_position + t, [T, C].
void embed_tokens(const ModelConfig& config, const ModelEnds& ends, std::span<const std::int32_t> tokens,
                  std::size_t first_position, float* residual, ThreadPool& pool);

/// What flows into the output matrix: the normed residual, [T, C].
void head_input(const ModelEnds& ends, const float* residual, std::size_t n_tokens, float* normed,
                ThreadPool& pool);

/// logits[T, V] of head_input()'s result.
void head_logits(const ModelConfig& config, const ModelEnds& ends, const float* normed, std::size_t n_tokens,
                 float* logits, ThreadPool& pool);

}  // namespace kerf

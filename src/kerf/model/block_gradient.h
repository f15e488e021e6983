// One layer of the transformer forwards and backwards, on a window from its first token on. The forward is
// BlockWalk's; between its stages stays what the way back needs.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/model/attention_backward.h"
#include "kerf/model/block.h"
#include "kerf/model/gradient_tap.h"

namespace kerf {

/// Errors: unsupported (a mixture of experts, through which there is no way back yet).
Result<void> check_differentiable(const ModelConfig& config);

class BlockGradient {
 public:
  /// `config` and `pool` must outlive it; of the ends only the RoPE factors are read.
  BlockGradient(const ModelConfig& config, const ModelEnds& ends, ThreadPool& pool);

  /// Buffers for windows of n tokens. Errors: resource.
  Result<void> prepare(std::size_t n_tokens);

  /// residual [T, C]: what flows into the layer becomes what flows out.
  void forward(const LayerWeights& layer, bool is_local, float* residual);

  /// gradient [T, C]: that of the loss at what the last forward() returned becomes that at what it was given.
  /// The same layer and kind as there. `tap` may be nullptr.
  void backward(const LayerWeights& layer, bool is_local, float* gradient, GradientTap* tap);

 private:
  void mlp_backward(const LayerWeights& layer, float* gradient, GradientTap* tap);
  void attention_part_backward(const LayerWeights& layer, bool is_local, float* gradient, GradientTap* tap);
  void turn_back(const LayerWeights& layer, bool is_local, GradientTap* tap);
  const float* through_post_norm(const std::optional<Norm>& norm, const float* sum, const float* gradient,
                                 GradientTap* tap);
  void through_norm(const Norm& norm, const float* x, float* gradient, GradientTap* tap);
  void show(const std::vector<Linear>& layers, const float* x, const float* dy, std::size_t stride,
            GradientTap* tap) const;
  void show(const Linear& layer, const float* x, const float* dy, std::size_t stride, GradientTap* tap) const;

  const ModelConfig& config_;
  ThreadPool& pool_;
  BlockWalk walk_;
  std::unique_ptr<KvCache> cache_;  // of one layer
  RopeTable rope_back_;
  RopeTable local_rope_back_;
  AttentionBackwardScratch attention_;
  std::size_t n_tokens_ = 0;

  // What the forward left, [T, …].
  std::vector<float> input_;            // C: the residual before the layer
  std::vector<float> attention_input_;  // C
  std::vector<float> raw_qkv_;          // as the weights give them, where heads have norms
  const float* attended_ = nullptr;     // H·D, the walk's
  std::vector<float> log_sums_;         // H
  std::vector<float> attention_sum_;    // C: before the post norm, if there is one
  std::vector<float> middle_;           // C: the residual before the MLP
  const float* qkv_ = nullptr;          // the walk's: after norms and RoPE
  const float* mlp_normed_ = nullptr;   // C, the walk's
  const float* mlp_inner_ = nullptr;    // F, the walk's

  // Gradients, [T, …].
  std::vector<float> d_sum_;        // C
  std::vector<float> d_inner_;      // F or H·D
  std::vector<float> d_projected_;  // 2F or (H + 2·H_kv)·D
};

}  // namespace kerf

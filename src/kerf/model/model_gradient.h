// The gradient of a loss of the logits, through a whole model.
//
// Only the residual in front of each layer is kept from the forward; the way back runs each layer forwards
// once more (Chen et al. 2016, «Training deep nets with sublinear memory cost»). Weights stay in their file's
// bytes in both directions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/model/block_gradient.h"
#include "kerf/model/gradient_tap.h"
#include "kerf/model/weights.h"

namespace kerf {

/// Replaces the logits [n_tokens, V] of tokens first_token … by the gradient of the loss at them.
using LogitLoss = FunctionRef<void(std::size_t first_token, std::size_t n_tokens, float* logits)>;

/// What lies behind the last layer: final norm, output matrix, softcap. The logits of a window exist only a
/// portion of tokens at a time.
class HeadGradient {
 public:
  HeadGradient(const ModelConfig& config, const ModelEnds& ends, ThreadPool& pool)
      : config_(config), ends_(ends), pool_(pool) {}

  /// Calls `loss` on the logits of all tokens, portion by portion in order.
  void forward(const float* residual, std::size_t n_tokens, LogitLoss loss);
  /// The same, and then the way back: gradient [T, C] is that at the residual [T, C]. `tap` may be nullptr.
  void backward(const float* residual, std::size_t n_tokens, LogitLoss loss, float* gradient,
                GradientTap* tap);

 private:
  struct Portion {
    std::size_t first, n;
    const float* residual;
  };
  void for_portions(const float* residual, std::size_t n_tokens, FunctionRef<void(const Portion&)> body);
  void portion_backward(const Portion& portion, LogitLoss loss, float* gradient, GradientTap* tap);

  const ModelConfig& config_;
  const ModelEnds& ends_;
  ThreadPool& pool_;
  std::vector<float> normed_;  // [portion, C]
  std::vector<float> logits_;  // [portion, V]
  std::vector<float> capped_;  // [portion, V], where there is a softcap
};

class ModelGradient {
 public:
  /// All three must outlive it. The weights may change between calls, and so may what they point at.
  ModelGradient(const ModelConfig& config, const ModelWeights& weights, ThreadPool& pool);

  /// One window, positions 0 …: forwards, `loss` on its logits portion by portion, backwards. Memory besides
  /// the model: (n_layers + 1)·T·C floats and what one layer needs. The bits do not depend on the number of
  /// threads. Errors: usage (token id or position that the model does not have), resource.
  Result<void> run(std::span<const std::int32_t> tokens, LogitLoss loss, GradientTap* tap);

  /// Only forwards and the loss.
  Result<void> evaluate(std::span<const std::int32_t> tokens, LogitLoss loss);

  /// Only through the layers: what head_input() takes, [T, C]. Good until the next call.
  Result<const float*> behind_layers(std::span<const std::int32_t> tokens);

 private:
  Result<void> prepare(std::span<const std::int32_t> tokens);
  [[nodiscard]] float* residual(std::size_t layer) noexcept {
    return residuals_.data() + layer * n_tokens_ * config_.width;
  }

  const ModelConfig& config_;
  const ModelWeights& weights_;
  ThreadPool& pool_;
  BlockGradient block_;
  HeadGradient head_;
  std::size_t n_tokens_ = 0;
  std::vector<float> residuals_;  // [n_layers + 1, T, C]: before each layer, and behind the last
  std::vector<float> working_;    // [T, C]: for running a layer again
  std::vector<float> gradient_;   // [T, C]
};

}  // namespace kerf

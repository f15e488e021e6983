// All calibration windows on their way through a model, one layer at a time: what flows into each weight is
// shown before the weight is used, so that it can be changed in between.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "kerf/base/function_ref.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/texts.h"
#include "kerf/methods/activation_store.h"
#include "kerf/model/block.h"

namespace kerf {

/// Which activations lie in files: «residual» [C] is what runs through the layers, «inner» [max(H·D, F)] what
/// runs inside one.
struct SpillPlan {
  bool residual = false;
  bool inner = false;
};

/// The stages must be called in order: embed(), for each layer either run_layer() or the five stages, then
/// head_inputs(). `config`, `windows` and `pool` must outlive the walk.
class CalibrationWalk {
 public:
  /// Sees x [ctx, K] of a window; its error ends the stage.
  using Sink = FunctionRef<Result<void>(std::size_t window, const float* x)>;

  /// Of the ends only RoPE factors are read here. Errors: resource, io (files for activations in `folder`).
  static Result<std::unique_ptr<CalibrationWalk>> begin(const ModelConfig& config, const ModelEnds& ends,
                                                        const TokenWindows& windows, const SpillPlan& spill,
                                                        const std::filesystem::path& folder,
                                                        ThreadPool& pool);

  /// `after` runs after each window.
  Result<void> embed(const ModelEnds& ends, FunctionRef<Result<void>(std::size_t)> after);
  /// What flows into q, k, v.
  Result<void> attention_inputs(const LayerWeights& layer, Sink sink);
  /// Uses q, k, v: what flows into the attention's output.
  Result<void> attended(const LayerWeights& layer, bool is_local, Sink sink);
  /// Uses the attention's output: what flows into gate and up.
  Result<void> mlp_inputs(const LayerWeights& layer, Sink sink);
  /// Uses gate and up: what flows into the MLP's output.
  Result<void> mlp_inners(const LayerWeights& layer, Sink sink);
  /// Uses the MLP's output.
  Result<void> finish_layer(const LayerWeights& layer, FunctionRef<Result<void>(std::size_t)> after);
  /// The whole layer without stops, the same residual to the last bit.
  Result<void> run_layer(const LayerWeights& layer, bool is_local,
                         FunctionRef<Result<void>(std::size_t)> after);
  /// What flows into the output matrix.
  Result<void> head_inputs(const ModelEnds& ends, Sink sink);

  /// Copies what runs through the layers now, [ctx, C] of a window.
  Result<void> residual(std::size_t window, float* dst);

  [[nodiscard]] std::size_t n_windows() const noexcept { return windows_.size(); }

  /// Memory of the activations of one window that each store holds.
  static std::uint64_t residual_bytes(const ModelConfig& config, std::size_t ctx) noexcept;
  static std::uint64_t inner_bytes(const ModelConfig& config, std::size_t ctx) noexcept;
  /// Memory for working on one window.
  static std::uint64_t scratch_bytes(const ModelConfig& config, std::size_t ctx) noexcept;

 private:
  CalibrationWalk(const ModelConfig& config, const ModelEnds& ends, const TokenWindows& windows,
                  ActivationStore residual, ActivationStore inner, ThreadPool& pool);
  const float* attend(const LayerWeights& layer, bool is_local, const float* residual);

  const ModelConfig& config_;
  const TokenWindows& windows_;
  ThreadPool& pool_;
  BlockWalk walk_;
  std::unique_ptr<KvCache> cache_;  // of one layer and window
  ActivationStore residual_;        // [windows][ctx, C]
  ActivationStore inner_;           // [windows][ctx, H·D] or [ctx, F]
};

}  // namespace kerf

// Learned rounding of one layer: codes, scales and offsets of its weights follow the gradient of the squared
// error of the layer's output, the other layers standing still.
//
// Sources: Cheng et al. 2023, «Optimize weight rounding via signed gradient descent for the quantization of
// LLMs» (SignRound, AutoRound); Nagel et al. 2020, «Up or down?» (the layer's output as the aim).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/methods/learned_rounding.h"
#include "kerf/model/block_gradient.h"
#include "kerf/model/weights.h"

namespace kerf {

/// A weight to be learned.
struct TunableWeight {
  const Linear* student;   ///< a weight of the layer; LearnedWeight::can_learn() of its format
  std::uint8_t* bytes;     ///< what student->weight views
  const Linear* original;  ///< what it should be
};

/// The windows that a layer learns from, [n_windows][ctx].
struct BlockWindows {
  std::size_t n_windows = 0;
  std::size_t ctx = 0;
  /// Reads into dst [ctx, C] what flows into the layer behind the quantized layers before it.
  FunctionRef<Result<void>(std::size_t window, float* dst)> inputs;
  /// Reads what flows out of the original layer behind the original layers before it.
  FunctionRef<Result<void>(std::size_t window, float* dst)> targets;
  /// How much each token's error counts, [n_windows · ctx]; empty: all alike.
  std::span<const float> token_weights = {};
};

struct BlockTuningOptions {
  std::size_t n_steps = 200;
  std::size_t windows_per_step = 4;
  /// At the first step; they fall evenly to 0. Each that is 0 is chosen: 1 / n_steps.
  LearningRates rates = {};
  /// Without momentum (both 0) and with lean = 1 this is SignRound; Adam from within the cells has proved
  /// better.
  LearningOptions learning = {};
  std::uint64_t seed = 0;  ///< of the order of windows
};

/// Mean squared error of the output, weighted, per token and channel, on windows that took no part in
/// learning if there are at least eight.
struct BlockTuningReport {
  double error_before = 0;
  double error_after = 0;  ///< not above error_before: what was best is kept
  std::size_t best_step = 0;
};

/// Rewrites the bytes of `weights`. The same bytes for any number of threads. Errors: numeric (an error that
/// is not finite), cancelled (and then the bytes are the best so far), resource, those of reading.
Result<BlockTuningReport> tune_block(const ModelConfig& config, const ModelEnds& ends,
                                     const LayerWeights& student, bool is_local,
                                     std::span<const TunableWeight> weights, const BlockWindows& windows,
                                     const BlockTuningOptions& options, ThreadPool& pool, Progress& progress);

}  // namespace kerf

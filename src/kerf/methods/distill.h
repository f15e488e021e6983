// Distillation: a quantized model learns to answer as its original does, within its own bytes. All layers at
// once, through the true gradient of KL(original ‖ quantized) at the logits; codes, scales, offsets and norms
// change, formats and sizes do not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/methods/learned_rounding.h"
#include "kerf/model/source.h"

namespace kerf {

struct DistillOptions {
  std::size_t ctx = 512;  ///< tokens per window
  std::size_t n_steps = 200;
  std::size_t windows_per_step = 4;
  /// At their largest; they grow over the first tenth of the steps and then fall to zero.
  LearningRates rates = {.levels = 0.005F, .scales = 0.01F, .offsets = 0.01F};
  float norm_rate = 0.0005F;  ///< of norm weights, as a part of themselves; 0: they stay
  bool learn_output = true;   ///< the embedding and the output matrix too
};

struct DistillReport {
  double first_loss = 0;  ///< KL divergence in nats per token on the first and on the last tenth of the steps
  double last_loss = 0;
  std::size_t n_learned = 0;               ///< weight matrices
  std::vector<std::string> not_learnable;  ///< matrices whose format has no learning
  std::uint64_t n_tokens = 0;
};

/// Reads windows of ctx tokens in their order (`tokens` is their concatenation), over again when they run
/// out, and writes what `student` became. The step sizes fall linearly to zero. Memory: about five floats per
/// weight of the student. The same bytes for any number of threads on one instruction set. Errors: usage (not
/// the same model), unsupported (nothing to learn), numeric, resource, io, cancelled.
Result<DistillReport> distill(const ModelSource& teacher, const ModelSource& student,
                              std::span<const TokenId> tokens, const DistillOptions& options,
                              const std::filesystem::path& target, ThreadPool& pool, Progress& progress);

}  // namespace kerf

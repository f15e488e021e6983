// End-to-end tuning of a quantized model: codes, scales, offsets and norms of all layers follow the gradient
// of the KL divergence between the original model and the quantized one (distillation: Hinton et al. 2015; of
// quantized language models: Liu et al. 2023, «LLM-QAT»; from a good start and of all parameters, as here:
// Malinovskii et al. 2024, «PV-Tuning»).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/methods/learned_rounding.h"
#include "kerf/methods/tune_student.h"

namespace kerf {

struct ModelTuningOptions {
  std::size_t ctx = 512;     ///< tokens per window; one window is one step
  std::uint64_t seed = 0;    ///< of the order of windows
  std::size_t n_check = 4;   ///< windows at the end that are kept back, to see what is gained
  std::size_t n_checks = 5;  ///< times that they are looked at while learning
  /// At their largest: they grow over the first steps and then fall evenly to 0. Each that is 0 is chosen,
  /// in proportion to 1 / √n_steps: what is noise in the steps adds up to the same then.
  LearningRates rates = {};
  float norm_rate = 0;  ///< of norms, as a part of each gain; likewise
  bool learn_norms = true;
  bool learn_ends = true;  ///< embedding and output matrix too
  LearningOptions learning = {};
};

/// KL divergence in nats per token on the windows kept back.
struct ModelTuningReport {
  double kld_before = 0;
  double kld_after = 0;  ///< not above kld_before: what was best is kept
  std::size_t n_steps = 0;
  std::size_t best_step = 0;
};

/// Rewrites the student's weights, one step per window of `tokens`, in an order of chance. The teacher is
/// mapped; memory: LearnedWeight::memory_bytes() of every weight, a gradient of the largest, two copies of
/// the student's bytes, and one window's activations. The same bytes for any number of threads. Errors: input
/// (teacher and student are not one model, windows too few), numeric (a loss that is not finite), resource,
/// cancelled (the student is then the best that was seen).
Result<ModelTuningReport> tune_model(const ModelSource& teacher, Student& student,
                                     std::span<const TokenId> tokens, const ModelTuningOptions& options,
                                     ThreadPool& pool, Progress& progress);

}  // namespace kerf

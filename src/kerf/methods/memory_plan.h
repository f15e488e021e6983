// How much memory a calibrated quantization takes, and what must be kept in files to stay below a limit.
#pragma once

#include <cstdint>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/methods/calibration_walk.h"
#include "kerf/methods/method.h"
#include "kerf/model/config.h"
#include "kerf/model/source.h"

namespace kerf {

struct MemoryPlan {
  SpillPlan spill;
  std::uint64_t peak_bytes = 0;   ///< upper estimate of resident memory
  std::uint64_t spill_bytes = 0;  ///< of files for activations
};

/// Program, vocabulary and buffers for rounding: what is resident whatever the weights.
[[nodiscard]] std::uint64_t resident_besides_weights(const ModelSource& source);

/// Of the shortest list of activations that must be in files so that `limit_bytes` hold. Errors: resource
/// (not even with all of them in files; names the least that would do).
Result<MemoryPlan> plan_memory(const ModelSource& source, const ModelConfig& config, const Method& method,
                               std::size_t n_windows, std::size_t ctx, const ThreadPool& pool,
                               std::uint64_t limit_bytes);

}  // namespace kerf

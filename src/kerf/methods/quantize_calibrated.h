// Calibrated quantization of a whole model, layer by layer: windows of text run through the layers that are
// already quantized, what flows into the next weights is measured, they are rounded by a method, and the
// windows go on through what a reader of the file will compute («true sequential»: q, k, v; then the
// attention's output; gate and up; the MLP's output). One layer is in memory at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kerf/calib/texts.h"
#include "kerf/methods/memory_plan.h"
#include "kerf/methods/method.h"
#include "kerf/methods/quantize_model.h"

namespace kerf {

/// Windows that tell what flows into an output matrix which is the embedding too, and so is rounded first.
inline constexpr std::size_t kHeadWindows = 16;

struct CalibratedOptions {
  const Method* method = nullptr;  ///< one that needs something
  MethodOptions tuning;
  std::vector<CalibrationText> texts;
  std::size_t n_tokens = 128 * 512;  ///< to read, a multiple of ctx or rounded up to one
  std::size_t ctx = 512;             ///< tokens per window
  std::uint64_t seed = 0;            ///< which windows
  std::uint64_t memory_limit_bytes = 0;
  bool correct_biases = false;  ///< those that the model has take back what rounding shifts outputs by
  bool resume = false;          ///< take up what was interrupted
};

/// What is known before the work begins.
struct CalibratedPlan {
  TokenWindows windows{1};
  MemoryPlan memory;
};

/// Cuts the texts and plans memory; notes method, texts and options in plan.metadata. Errors: usage (ctx out
/// of range), input (texts too short, a tokenizer of another model), unsupported (architecture), resource
/// (memory limit).
Result<CalibratedPlan> plan_calibrated(const ModelSource& source, const CalibratedOptions& options,
                                       const ThreadPool& pool, QuantizePlan& plan);

/// Writes the file; until it is whole, finished tensors lie in «<target>.part» (part_file.h). The same bytes
/// for any number of threads and interruptions, on one instruction set. Errors: numeric (activation or weight
/// not finite, named), cancelled (and then the part file stays), usage, resource, io.
Result<std::vector<TensorReport>> write_calibrated(const ModelSource& source, const QuantizePlan& plan,
                                                   const CalibratedPlan& calibrated,
                                                   const CalibratedOptions& options,
                                                   const std::filesystem::path& target, ThreadPool& pool,
                                                   Progress& progress);

}  // namespace kerf

// Round-to-nearest over a whole model: tensor by tensor, from a mapped source into a GGUF file that appears
// when it is complete. Memory does not grow with the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/importance.h"
#include "kerf/io/gguf.h"
#include "kerf/methods/recipe.h"
#include "kerf/methods/round_tensor.h"
#include "kerf/model/source.h"

namespace kerf {

/// What will be written, known before any weight is read.
struct QuantizePlan {
  RecipeOptions recipe;
  std::shared_ptr<const ImportanceMatrix> importance;  ///< of the columns of each weight; may be nullptr
  std::vector<Assignment> assignments;                 ///< as source.tensors()
  Metadata metadata;                                   ///< of the output
  std::vector<PlannedTensor> tensors;
  std::uint64_t output_bytes = 0;  ///< exact
  std::uint64_t n_parameters = 0;
  double bpw_nominal = 0;    ///< bits per number of the matrices, had each got the type that was asked for it
  double bpw_effective = 0;  ///< bits of the whole file per parameter
  std::uint64_t peak_memory_bytes = 0;  ///< upper estimate of resident memory while writing
};

/// Errors: those of assign_formats() and of reading the importance matrix, and unsupported if the source's
/// tensors cannot be named in a GGUF.
Result<QuantizePlan> plan_quantization(const ModelSource& source, const RecipeOptions& recipe,
                                       const std::string& kerf_version);

/// Seconds that write_quantized() will take, from timing the plan's formats on made-up numbers for a moment.
double expected_seconds(const ModelSource& source, const QuantizePlan& plan, const ThreadPool& pool);

struct TensorReport {
  std::string name;
  std::vector<std::uint64_t> shape;
  Assignment assignment;
  std::uint64_t bytes = 0;
  RoundingError error;  ///< against the source's own values
};

/// One tensor of the plan into `writer`, whose turn it is, with the plan's importance. Errors: those of
/// round_tensor() and of writing.
Result<RoundingError> write_tensor(const ModelSource& source, const QuantizePlan& plan, std::size_t index,
                                   GgufWriter& writer, ThreadPool& pool, RowProgress advance);

/// Writes the file. The same bytes for any number of threads. Errors: numeric (NaN or infinite weight, value
/// beyond a format's range; names tensor and row), resource, io, cancelled.
Result<std::vector<TensorReport>> write_quantized(const ModelSource& source, const QuantizePlan& plan,
                                                  const std::filesystem::path& target, ThreadPool& pool,
                                                  Progress& progress);

}  // namespace kerf

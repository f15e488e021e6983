// What each format would cost each tensor: bytes against the loss that its rounding adds.
#pragma once

#include <cstdint>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/importance.h"
#include "kerf/methods/allocate.h"
#include "kerf/model/source.h"

namespace kerf {

/// A weight matrix and its ways to be stored: options[i] is formats[i].
struct TensorCosts {
  std::size_t tensor = 0;  ///< index in source.tensors()
  std::vector<const Format*> formats;
  std::vector<Option> options;
};

struct CostOptions {
  bool only_gguf = false;                     ///< formats that other readers of GGUF know
  bool only_fast = false;                     ///< formats with a kernel of their own on this CPU
  int effort = 1;                             ///< of the search for scales
  std::size_t numbers_per_tensor = 1U << 15;  ///< of each tensor, rows of so many numbers are rounded
};

/// For each weight matrix of the source and each format worth a thought: the bytes (with padding) and
///   ½ Σ_j h_j Σ_r (W[r, j] − Ŵ[r, j])²,
/// estimated on rows spread evenly over the tensor, where h is the tensor's importance. With guided
/// importance (sensitivity.h) that is the second-order estimate of the KL divergence in nats per token that
/// rounding this tensor causes. Formats are pruned first, on a few rows: those that are clearly worse than
/// others of their size everywhere are not measured. Errors: input (a matrix without importance, an
/// importance of other columns), numeric, cancelled.
Result<std::vector<TensorCosts>> measure_costs(const ModelSource& source, const ImportanceMatrix& importance,
                                               const CostOptions& options, ThreadPool& pool,
                                               Progress& progress);

}  // namespace kerf

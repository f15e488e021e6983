// One tensor from a source, rounded into a format and handed on in pieces.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/importance.h"
#include "kerf/methods/row_rounder.h"
#include "kerf/model/source.h"

namespace kerf {

/// Most bytes of buffers that round_tensor() holds, plus 1 MB per thread.
inline constexpr std::uint64_t kSlabBytesLimit = 24 << 20;

/// One tensor's rounding.
struct RoundJob {
  const ModelSource& source;
  const SourceTensor& tensor;
  const Format& format;
  /// One for each matrix of the tensor (experts), or one for all of its rows.
  std::span<const RowRounder* const> rounders;
  /// What the costs are compared with; nullptr: nothing.
  const RowRounder* baseline = nullptr;
  /// Rounded is not W but row_factors[r] · W[r, k] · column_factors[k]; empty: ones. The baseline rounds W
  /// and is scaled afterwards.
  std::span<const float> column_factors = {};
  std::span<const float> row_factors = {};
};

/// What the rounding did, each a part of what the weights themselves cost or square to.
struct RoundingError {
  double nmse = 0;      ///< ‖W − Ŵ‖² / ‖W‖²
  double output = 0;    ///< Σ cost(W − Ŵ) / Σ cost(W) by the rounder
  double baseline = 0;  ///< the same, had the baseline rounded
};

using RowSink = FunctionRef<Result<void>(Bytes)>;
/// Is told the numbers done so far; its error stops the work.
using RowProgress = FunctionRef<Result<void>(std::uint64_t)>;

/// Reads the tensor in slabs of rows, rounds them on all threads and hands their bytes to `sink`, in order.
/// Errors: numeric (NaN, infinity, beyond the format's range), unsupported (a format that cannot be written),
/// those of the sink and of `advance`.
Result<RoundingError> round_tensor(const RoundJob& job, RowSink sink, ThreadPool& pool, RowProgress advance);

/// Hands on the bytes of a tensor that already has its format. Errors: those of the sink and of `advance`.
Result<void> copy_tensor(const SourceTensor& tensor, Bytes bytes, RowSink sink, RowProgress advance);

/// A rounder for each matrix of `tensor` by an importance matrix; nullptr: every column counts alike. Errors:
/// input (an importance of other columns).
Result<std::vector<std::unique_ptr<RowRounder>>> importance_rounders(const SourceTensor& tensor,
                                                                     const Importance* importance,
                                                                     const QuantizeOptions& search);

/// Seconds that one thread needs to round and check `x`.
double seconds_to_round(const Format& format, const QuantizeOptions& options, const std::vector<float>& x);

}  // namespace kerf

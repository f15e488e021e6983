// One tensor from a source, rounded into a format and written.
#pragma once

#include <cstdint>
#include <vector>

#include "kerf/base/function_ref.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/calib/importance.h"
#include "kerf/io/gguf.h"
#include "kerf/model/source.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// Most bytes of buffers that round_tensor() holds, plus 1 MB per thread.
inline constexpr std::uint64_t kSlabBytesLimit = 24 << 20;

struct RoundOptions {
  QuantizeOptions search;
  const Importance* importance = nullptr;  ///< of this tensor; nullptr: every number counts alike
};

/// Reads `tensor` in slabs of rows, rounds them on all threads and appends them to `writer`. Bytes that
/// already have the format are copied. `advance(numbers done)` returns false to stop. Returns
/// ‖W − Ŵ‖² / ‖W‖², unweighted. Errors: numeric (NaN, infinity, beyond the format's range), input (an
/// importance of other columns), cancelled, those of writing.
Result<double> round_tensor(const ModelSource& source, const SourceTensor& tensor, const Format& format,
                            const RoundOptions& options, GgufWriter& writer, ThreadPool& pool,
                            FunctionRef<bool(std::uint64_t)> advance);

/// Seconds that one thread needs to round and check `x`.
double seconds_to_round(const Format& format, const QuantizeOptions& options, const std::vector<float>& x);

}  // namespace kerf

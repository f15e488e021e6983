// How long a calibrated quantization will take, from short measured probes.
#pragma once

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/methods/quantize_calibrated.h"

namespace kerf {

/// Runs a window or two through the first layer as write_calibrated() would, makes its rounders, rounds some
/// rows for each format and length of rows, and counts how often each of that will happen. Errors: those of
/// the work itself.
Result<double> expected_seconds(const ModelSource& source, const QuantizePlan& plan,
                                const CalibratedPlan& calibrated, const CalibratedOptions& options,
                                const std::filesystem::path& folder, ThreadPool& pool);

}  // namespace kerf

// What the bytes of a calibrated quantization depend on, by name: so that an interrupted run is only taken up
// again as it was begun.
#pragma once

#include "kerf/base/threads.h"
#include "kerf/methods/part_file.h"
#include "kerf/methods/quantize_calibrated.h"
#include "kerf/model/source.h"

namespace kerf {

/// Reads the whole source. Errors: those of reading it.
Result<RunIdentity> run_identity(const ModelSource& source, const QuantizePlan& plan,
                                 const CalibratedOptions& options, ThreadPool& pool);

}  // namespace kerf

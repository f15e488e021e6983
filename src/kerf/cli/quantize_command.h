// What «kerf quantize» and «kerf convert» share: both write a GGUF file from a model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "kerf/cli/budget_request.h"
#include "kerf/cli/common.h"
#include "kerf/cli/gate.h"
#include "kerf/methods/quantize_calibrated.h"

namespace kerf::cli {

struct WriteRequest {
  std::filesystem::path input;
  std::filesystem::path output;
  RecipeOptions recipe;
  std::optional<CalibratedOptions> calibration;  ///< nothing: every tensor by itself
  BudgetRequest budget;                          ///< types by file size, if given
  GateRequest gate;                              ///< judged before it is put in place, if given
  std::optional<std::uint64_t> rotation;         ///< seed; nothing: the model's own basis
  bool dry_run = false;
};

/// Plans, writes (unless a dry run) and reports on stdout.
Result<void> write_model(Invocation& invocation, const WriteRequest& request);

}  // namespace kerf::cli

// The options of a calibrated quantization, as they are typed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kerf/cli/common.h"
#include "kerf/methods/quantize_calibrated.h"

namespace kerf::cli {

struct CalibrationRequest {
  std::string method;              ///< empty: guided with texts, else rtn
  std::vector<std::string> texts;  ///< paths
  std::string max_ram;             ///< empty: most of this machine's memory
  std::optional<double> damping;
  CalibratedOptions options;

  void add_options(CLI::App& app);
};

/// Reads the texts. Nothing if the method needs none. Errors: usage, and those of reading.
Result<std::optional<CalibratedOptions>> calibrated_options(const CalibrationRequest& request,
                                                            const RecipeOptions& recipe);

}  // namespace kerf::cli

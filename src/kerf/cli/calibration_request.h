// The options of a calibrated quantization, as they are typed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kerf/cli/common.h"
#include "kerf/methods/quantize_calibrated.h"

namespace kerf::cli {

struct CalibrationRequest {
  std::string method;              ///< empty: auto
  std::vector<std::string> texts;  ///< paths
  std::string max_ram;             ///< empty: most of this machine's memory
  std::optional<double> damping;
  CalibratedOptions options;

  void add_options(CLI::App& app);
};

/// The method that is asked for by name. «auto», and no name at all: rtn without texts; with texts imatrix at
/// 7 bits and more, where nothing finer shows, and at effort 0, else guided. A mixture or a budget counts as
/// fewer than 7 bits. Errors: usage.
Result<const Method*> chosen_method(const CalibrationRequest& request, const RecipeOptions& recipe);

/// Reads the texts. Nothing if the method needs none. Errors: usage, and those of reading.
Result<std::optional<CalibratedOptions>> calibrated_options(const CalibrationRequest& request,
                                                            const RecipeOptions& recipe,
                                                            const Method& method);

}  // namespace kerf::cli

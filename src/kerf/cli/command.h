// A verb of the program. A new one is one file cmd_<verb>.cpp and one line in commands.def.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"

namespace kerf::cli {

struct Command {
  std::string_view name;
  std::string_view summary;  ///< one line for `kerf --help`
  /// Parses its own arguments (the verb left out) and returns the exit code.
  int (*run)(const std::vector<std::string>& arguments);
};

#define KERF_COMMAND(verb) extern const Command cmd_##verb;
#include "kerf/cli/commands.def"
#undef KERF_COMMAND

}  // namespace kerf::cli

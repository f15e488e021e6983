// kerf: finds the verb and hands over.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "kerf/cli/command.h"
#include "kerf/kernels/kernel.h"

namespace {

using kerf::cli::Command;

constexpr const Command* kCommands[] = {
#define KERF_COMMAND(verb) &kerf::cli::cmd_##verb,
#include "kerf/cli/commands.def"
#undef KERF_COMMAND
};

void print_help(std::FILE* stream) {
  fmt::print(stream,
             "kerf {}: cuts neural networks to 8 … 1 bits, measures what the cut cost, runs the result\n\n"
             "Usage: kerf COMMAND [OPTIONS]\n\nCommands:\n",
             KERF_VERSION);
  for (const Command* command : kCommands)
    fmt::print(stream, "  {:<10} {}\n", command->name, command->summary);
  fmt::print(stream, "\n«kerf COMMAND --help» explains a command and shows an example.\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print_help(arguments.empty() ? stderr : stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version") {
    fmt::print("kerf {}\n", KERF_VERSION);
    return 0;
  }
  if (const char* reason = kerf::kernels::isa_error(); reason != nullptr) {
    fmt::print(stderr, "kerf: {}\n", reason);
    return 2;
  }
  for (const Command* command : kCommands)
    if (command->name == arguments[0]) return command->run({arguments.begin() + 1, arguments.end()});
  fmt::print(stderr, "kerf: there is no command «{}»; «kerf --help» lists them\n", arguments[0]);
  return 2;
}

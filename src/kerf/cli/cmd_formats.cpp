// kerf formats: the table of number formats that this build reads and writes.
#include <fmt/format.h>

#include "kerf/cli/common.h"
#include "kerf/formats/format.h"

namespace kerf::cli {
namespace {

void print_table() {
  fmt::print("{:<10} {:>6} {:>7} {:>10}  {:<5}  {}\n", "format", "block", "bytes", "bits/w", "write",
             "what it is");
  for (const Format* format : all_formats())
    fmt::print("{:<10} {:>6} {:>7} {:>10.4f}  {:<5}  {}\n", format->name, format->block_size,
               format->block_bytes, format->bits_per_weight(), format->writable() ? "yes" : "no",
               format->summary);
}

nlohmann::json as_json() {
  auto list = nlohmann::json::array();
  for (const Format* format : all_formats())
    list.push_back({{"name", format->name},
                    {"gguf_type", format->gguf_type},
                    {"block_size", format->block_size},
                    {"block_bytes", format->block_bytes},
                    {"bits_per_weight", format->bits_per_weight()},
                    {"writable", format->writable()},
                    {"summary", format->summary}});
  return {{"formats", list}};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_formats, "kerf formats --json");
  return invocation.run(arguments, [&]() -> Result<void> {
    invocation.common().json ? print_json(as_json()) : print_table();
    return {};
  });
}

}  // namespace

const Command cmd_formats{"formats", "list the number formats that can be read and written", run};

}  // namespace kerf::cli

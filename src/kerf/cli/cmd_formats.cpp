// kerf formats: the table of number formats that this build reads and writes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kerf/cli/common.h"
#include "kerf/report/format_table.h"

namespace kerf::cli {
namespace {

void print_table(std::span<const FormatRow> rows) {
  fmt::print("{:<20} {:>9} {:>8} {:>17}  {:<7} {:<17} {:<5}  {:<16}  {}\n", "format", "block", "bytes",
             "bits/w", "rows", "readers", "write", "fast on", "what it is");
  for (const FormatRow& row : rows)
    fmt::print("{:<20} {:>9} {:>8} {:>17}  {:<7} {:<17} {:<5}  {:<16}  {}\n", row.name, row.block_size,
               row.block_bytes, row.bits_per_weight, row.rows, row.readers,
               row.members.front()->writable() ? "yes" : "no",
               fmt::format("{}", fmt::join(row.fast_kernels, " ")), row.summary);
}

nlohmann::json as_json(std::span<const FormatRow> rows) {
  auto list = nlohmann::json::array();
  for (const FormatRow& row : rows) {
    const Format& f = *row.members.front();
    list.push_back({{"name", f.name},
                    {"family", f.family},
                    {"in_gguf", f.in_gguf()},
                    {"gguf_type", f.in_gguf() ? nlohmann::json(f.gguf_type) : nlohmann::json()},
                    {"plain", f.plain()},
                    {"block_size", f.block_size},
                    {"block_bytes", f.block_bytes},
                    {"header_bytes", f.header_bytes},
                    {"any_length", f.any_length},
                    {"bits_per_weight", f.bits_per_weight()},
                    {"writable", f.writable()},
                    {"readers", row.readers},
                    {"fast_kernels", row.fast_kernels},
                    {"summary", f.summary}});
  }
  return {{"formats", list}};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_formats, "kerf formats --json");
  bool markdown = false;
  bool all = false;
  invocation.app().add_flag("--all", all, "every member of every family; otherwise a line for each family");
  invocation.app().add_flag("--markdown", markdown, "the table as docs/formats.md has it");
  return invocation.run(arguments, [&]() -> Result<void> {
    const bool json = invocation.common().json;
    const std::vector<FormatRow> rows = format_rows(!all && !json);
    if (json)
      print_json(as_json(rows));
    else if (markdown)
      fmt::print("{}", format_table_markdown(rows));
    else
      print_table(rows);
    return {};
  });
}

}  // namespace

const Command cmd_formats{"formats", "list the number formats that can be read and written", run};

}  // namespace kerf::cli

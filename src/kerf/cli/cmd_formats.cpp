// kerf formats: the table of number formats that this build reads and writes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kerf/cli/common.h"
#include "kerf/report/format_table.h"

namespace kerf::cli {
namespace {

void print_table(std::span<const FormatRow> rows) {
  fmt::print("{:<16} {:>6} {:>6} {:>8}  {:<7} {:<17} {:<5}  {:<16}  {}\n", "format", "block", "bytes",
             "bits/w", "rows", "readers", "write", "fast on", "what it is");
  for (const FormatRow& row : rows) {
    const Format& f = *row.format;
    fmt::print("{:<16} {:>6} {:>6} {:>8.4f}  {:<7} {:<17} {:<5}  {:<16}  {}\n", f.name, f.block_size,
               f.block_bytes, f.bits_per_weight(), row.rows, row.read_by, f.writable() ? "yes" : "no",
               fmt::format("{}", fmt::join(row.fast_kernels, " ")), f.summary);
  }
}

nlohmann::json as_json(std::span<const FormatRow> rows) {
  auto list = nlohmann::json::array();
  for (const FormatRow& row : rows) {
    const Format& f = *row.format;
    list.push_back({{"name", f.name},
                    {"in_gguf", f.in_gguf()},
                    {"gguf_type", f.in_gguf() ? nlohmann::json(f.gguf_type) : nlohmann::json()},
                    {"plain", f.plain()},
                    {"block_size", f.block_size},
                    {"block_bytes", f.block_bytes},
                    {"header_bytes", f.header_bytes},
                    {"any_length", f.any_length},
                    {"bits_per_weight", f.bits_per_weight()},
                    {"writable", f.writable()},
                    {"readers", row.read_by},
                    {"fast_kernels", row.fast_kernels},
                    {"summary", f.summary}});
  }
  return {{"formats", list}};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_formats, "kerf formats --json");
  bool markdown = false;
  invocation.app().add_flag("--markdown", markdown, "the table as docs/formats.md has it");
  return invocation.run(arguments, [&]() -> Result<void> {
    const std::vector<FormatRow> rows = format_rows();
    if (invocation.common().json)
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

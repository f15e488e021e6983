#include "kerf/report/format_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kerf/kernels/dispatch.h"

namespace kerf {
namespace {

bool has_loops(const kernels::KernelTable& table, const Format& format) {
  const std::span encoded(table.encoded, table.n_encoded);
  return format.in_gguf() && std::any_of(encoded.begin(), encoded.end(), [&](const kernels::EncodedRows& e) {
           return e.gguf_type == format.gguf_type;
         });
}

std::string readers(const Format& format) {
  if (format.in_gguf()) return format.plain() ? "GGUF, safetensors" : "GGUF";
  return format.plain() ? "safetensors" : "kerf";
}

std::string row_rule(const Format& format) {
  if (format.any_length || format.block_size == 1) return "any";
  return fmt::format("× {}", format.block_size);
}

}  // namespace

std::vector<FormatRow> format_rows() {
  std::vector<FormatRow> rows;
  for (const Format* format : all_formats()) {
    FormatRow row{format, row_rule(*format), readers(*format), {}};
    for (const kernels::KernelTable* table : kernels::all_tables())
      if (has_loops(*table, *format)) row.fast_kernels.emplace_back(table->isa);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string format_table_markdown(std::span<const FormatRow> rows) {
  std::string table =
      "| format | GGUF type | numbers per block | bytes | bits per weight | rows | readers | written | fast "
      "on | "
      "what it is |\n|---|---:|---:|---:|---:|---|---|---|---|---|\n";
  for (const FormatRow& row : rows) {
    const Format& f = *row.format;
    table += fmt::format("| {} | {} | {} | {} | {:.4f} | {} | {} | {} | {} | {} |\n", f.name,
                         f.in_gguf() ? fmt::format("{}", f.gguf_type) : "", f.block_size, f.block_bytes,
                         f.bits_per_weight(), row.rows, row.read_by, f.writable() ? "yes" : "no",
                         fmt::join(row.fast_kernels, " "), f.summary);
  }
  return table;
}

}  // namespace kerf

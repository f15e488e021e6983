#include "kerf/report/format_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

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

/// «least … most» of a property of the members, or one number if they agree.
template <class Property>
std::string range(const std::vector<const Format*>& members, fmt::string_view pattern, Property property) {
  auto least = property(*members.front());
  auto most = least;
  for (const Format* member : members) {
    least = std::min(least, property(*member));
    most = std::max(most, property(*member));
  }
  const std::string low = fmt::format(fmt::runtime(pattern), least);
  return least == most ? low : low + " … " + fmt::format(fmt::runtime(pattern), most);
}

FormatRow row_of(std::vector<const Format*> members) {
  const Format& first = *members.front();
  FormatRow row;
  row.name = members.size() == 1 ? first.name : first.family;
  row.block_size = range(members, "{}", [](const Format& f) { return f.block_size; });
  row.block_bytes = range(members, "{}", [](const Format& f) { return f.block_bytes; });
  row.bits_per_weight = range(members, "{:.4f}", [](const Format& f) { return f.bits_per_weight(); });
  row.rows = row_rule(first);
  row.readers = readers(first);
  for (const kernels::KernelTable* table : kernels::all_tables())
    if (has_loops(*table, first)) row.fast_kernels.emplace_back(table->isa);
  row.summary = members.size() == 1
                    ? std::string(first.summary)
                    : fmt::format("{} formats, {}: {}", members.size(), first.name, first.summary);
  row.members = std::move(members);
  return row;
}

std::vector<const Format*> family_of(const Format& format) {
  std::vector<const Format*> members;
  for (const Format* other : all_formats())
    if (other->family == format.family) members.push_back(other);
  return members;
}

}  // namespace

std::vector<FormatRow> format_rows(bool fold_families) {
  std::vector<FormatRow> rows;
  std::set<std::string_view> done;
  for (const Format* format : all_formats()) {
    if (!fold_families || format->family.empty())
      rows.push_back(row_of({format}));
    else if (done.insert(format->family).second)
      rows.push_back(row_of(family_of(*format)));
  }
  return rows;
}

std::string format_table_markdown(std::span<const FormatRow> rows) {
  std::string table =
      "| format | GGUF type | numbers per block | bytes | bits per weight | rows | readers | written | fast "
      "on | "
      "what it is |\n|---|---:|---:|---:|---:|---|---|---|---|---|\n";
  for (const FormatRow& row : rows) {
    const Format& first = *row.members.front();
    table += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", row.name,
                         first.in_gguf() ? fmt::format("{}", first.gguf_type) : "", row.block_size,
                         row.block_bytes, row.bits_per_weight, row.rows, row.readers,
                         first.writable() ? "yes" : "no", fmt::join(row.fast_kernels, " "), row.summary);
  }
  return table;
}

}  // namespace kerf

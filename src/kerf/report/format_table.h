// The registry of formats as a table for people: what `kerf formats` prints and docs/formats.md shows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kerf/formats/format.h"

namespace kerf {

/// One format, or a family whose members differ in numbers only.
struct FormatRow {
  std::vector<const Format*> members;
  std::string name;        ///< of the format or the family
  std::string block_size;  ///< «32», «16 … 128» of a family; the same for the next two
  std::string block_bytes;
  std::string bits_per_weight;
  std::string rows;                       ///< which lengths of a row fit: «any», «× 32»
  std::string readers;                    ///< «GGUF, safetensors», «kerf»
  std::vector<std::string> fast_kernels;  ///< instruction sets with loops of their own for it
  std::string summary;
};

/// In the order of the registry; a family stands where its first member does, or every member by itself.
[[nodiscard]] std::vector<FormatRow> format_rows(bool fold_families);

/// As Markdown, an entry per line.
[[nodiscard]] std::string format_table_markdown(std::span<const FormatRow> rows);

}  // namespace kerf

// The registry of formats as a table for people: what `kerf formats` prints and docs/formats.md shows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kerf/formats/format.h"

namespace kerf {

struct FormatRow {
  const Format* format;
  std::string rows;                       ///< which lengths of a row fit: «any», «multiple of 32»
  std::string read_by;                    ///< «GGUF readers», «safetensors», «kerf»
  std::vector<std::string> fast_kernels;  ///< instruction sets with loops of their own for it
};

/// One entry per format, in the order of the registry.
[[nodiscard]] std::vector<FormatRow> format_rows();

/// As Markdown, an entry per line.
[[nodiscard]] std::string format_table_markdown(std::span<const FormatRow> rows);

}  // namespace kerf

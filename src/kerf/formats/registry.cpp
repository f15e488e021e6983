#include <algorithm>
#include <cctype>
#include <vector>

#include "kerf/formats/format.h"

namespace kerf {
namespace {

std::vector<const Format*> list_formats() {
  std::vector<const Format*> list;
  [[maybe_unused]] const auto add_family = [&list](std::span<const Format> family) {
    for (const Format& format : family) list.push_back(&format);
  };
#define KERF_FORMAT(identifier) list.push_back(&formats::identifier);
#define KERF_FORMAT_FAMILY(identifier) add_family(formats::identifier);
#include "kerf/formats/formats.def"
#undef KERF_FORMAT
#undef KERF_FORMAT_FAMILY
  return list;
}

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

std::span<const Format* const> all_formats() noexcept {
  static const std::vector<const Format*> list = list_formats();
  return list;
}

const Format* find_format(std::string_view name) noexcept {
  for (const Format* format : all_formats())
    if (equal_in_any_case(format->name, name)) return format;
  return nullptr;
}

const Format* format_of_gguf_type(std::uint32_t type) noexcept {
  if (type == kNoGgufType) return nullptr;
  for (const Format* format : all_formats())
    if (format->gguf_type == type) return format;
  return nullptr;
}

void decode_rows(const Format& format, const std::uint8_t* src, std::size_t n_rows, std::size_t n_cols,
                 float* dst) noexcept {
  if (format.header_bytes == 0 && n_cols % format.block_size == 0) {
    format.decode(src, dst, n_rows * n_cols);
    return;
  }
  const std::size_t row_bytes = format.row_bytes(n_cols);
  for (std::size_t r = 0; r < n_rows; ++r) format.decode(src + r * row_bytes, dst + r * n_cols, n_cols);
}

}  // namespace kerf

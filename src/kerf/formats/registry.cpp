#include <algorithm>
#include <cctype>

#include "kerf/formats/format.h"

namespace kerf {
namespace {

constexpr const Format* kFormats[] = {
#define KERF_FORMAT(identifier) &formats::identifier,
#include "kerf/formats/formats.def"
#undef KERF_FORMAT
};

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

std::span<const Format* const> all_formats() noexcept {
  return kFormats;
}

const Format* find_format(std::string_view name) noexcept {
  for (const Format* format : kFormats)
    if (equal_in_any_case(format->name, name)) return format;
  return nullptr;
}

const Format* format_of_gguf_type(std::uint32_t type) noexcept {
  if (type == kNoGgufType) return nullptr;
  for (const Format* format : kFormats)
    if (format->gguf_type == type) return format;
  return nullptr;
}

}  // namespace kerf

#include "kerf/io/printable.h"

#include <fmt/format.h>
#include <utf8proc.h>

namespace kerf {
namespace {

bool shows(utf8proc_int32_t character) {
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_CC:  // control
    case UTF8PROC_CATEGORY_CF:  // format: zero width, direction overrides
    case UTF8PROC_CATEGORY_CN:  // unassigned
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit_bytes) {
  std::string out;
  while (!text.empty()) {
    utf8proc_int32_t character = 0;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const auto n = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size()), &character);
    const std::size_t length = n > 0 ? static_cast<std::size_t>(n) : 1;
    std::string piece(text.substr(0, length));
    if (n <= 0 || !shows(character)) {
      piece.clear();
      for (const char byte : text.substr(0, length))
        piece += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
    if (out.size() + piece.size() > limit_bytes) return out + "…";
    out += piece;
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace kerf

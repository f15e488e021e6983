#include "kerf/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace kerf::text {
namespace {

using enum CharClass;

struct ClassRange {
  std::uint32_t first, last;
  CharClass kind;
};

// What Unicode 15.1 and 16.0 added to the letters, marks and numbers: the installed utf8proc may be older
// than the tables by which vocabularies were made.
constexpr ClassRange kNewer[] = {
    {0x00897, 0x00897, mark},   {0x01C89, 0x01C8A, letter}, {0x0A7CB, 0x0A7CD, letter},
    {0x0A7DA, 0x0A7DC, letter}, {0x105C0, 0x105F3, letter}, {0x10D40, 0x10D49, number},
    {0x10D4A, 0x10D65, letter}, {0x10D69, 0x10D6D, mark},   {0x10D6F, 0x10D85, letter},
    {0x10EC2, 0x10EC4, letter}, {0x10EFC, 0x10EFC, mark},   {0x11380, 0x11389, letter},
    {0x1138B, 0x1138B, letter}, {0x1138E, 0x1138E, letter}, {0x11390, 0x113B5, letter},
    {0x113B7, 0x113B7, letter}, {0x113B8, 0x113C0, mark},   {0x113C2, 0x113C2, mark},
    {0x113C5, 0x113C5, mark},   {0x113C7, 0x113CA, mark},   {0x113CC, 0x113D0, mark},
    {0x113D1, 0x113D1, letter}, {0x113D2, 0x113D2, mark},   {0x113D3, 0x113D3, letter},
    {0x113E1, 0x113E2, mark},   {0x116D0, 0x116E3, number}, {0x11BC0, 0x11BE0, letter},
    {0x11BF0, 0x11BF9, number}, {0x11F5A, 0x11F5A, mark},   {0x13460, 0x143FA, letter},
    {0x16100, 0x1611D, letter}, {0x1611E, 0x1612F, mark},   {0x16130, 0x16139, number},
    {0x16D40, 0x16D6C, letter}, {0x16D70, 0x16D79, number}, {0x18CFF, 0x18CFF, letter},
    {0x1CCF0, 0x1CCF9, number}, {0x1E5D0, 0x1E5ED, letter}, {0x1E5EE, 0x1E5EF, mark},
    {0x1E5F0, 0x1E5F0, letter}, {0x1E5F1, 0x1E5FA, number}, {0x2EBF0, 0x2EE5D, letter},
};

CharClass newer_class(std::uint32_t code) noexcept {
  const auto* range = std::lower_bound(std::begin(kNewer), std::end(kNewer), code,
                                       [](const ClassRange& r, std::uint32_t c) { return r.last < c; });
  return range != std::end(kNewer) && range->first <= code ? range->kind : other;
}

/// The White_Space property, which is what \s means.
bool is_white_space(std::uint32_t code) noexcept {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

CharClass compute_class(std::uint32_t code) noexcept {
  if (code == '\r' || code == '\n') return newline;
  if (is_white_space(code)) return blank;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return letter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return mark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return number;
    case UTF8PROC_CATEGORY_CN:
      return newer_class(code);
    default:
      return other;
  }
}

constexpr std::uint32_t kTableSize = 0x10000;

const std::array<CharClass, kTableSize>& class_table() noexcept {
  static const auto table = [] {
    std::array<CharClass, kTableSize> classes{};
    for (std::uint32_t code = 0; code < kTableSize; ++code) classes[code] = compute_class(code);
    return classes;
  }();
  return table;
}

constexpr auto kAsciiTable = [] {
  std::array<CharClass, 128> classes{};
  for (unsigned c = 0; c < 128; ++c)
    classes[c] = c == '\r' || c == '\n'                             ? newline
                 : c == ' ' || c == '\t' || c == '\v' || c == '\f'  ? blank
                 : c >= '0' && c <= '9'                             ? number
                 : (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? letter
                                                                    : other;
  return classes;
}();

bool is_continuation(unsigned char byte) noexcept {
  return (byte & 0xC0) == 0x80;
}

}  // namespace

Character decode_utf8(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const Character broken{lead, 1, false};
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return broken;
  const std::uint8_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return broken;
  char32_t code = lead & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(at(i))) return broken;
    code = code << 6 | (at(i) & 0x3F);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  if (overlong || surrogate || code > 0x10FFFF) return broken;
  return {code, length, true};
}

std::size_t valid_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    // Eight ASCII bytes at a time: most text is.
    std::uint64_t word = 0;
    if (text.size() - at >= 8) {
      std::copy_n(text.data() + at, 8, reinterpret_cast<char*>(&word));
      if ((word & 0x8080808080808080ULL) == 0) {
        at += 8;
        continue;
      }
    }
    const Character c = decode_utf8(text.substr(at));
    if (!c.valid) return at;
    at += c.length;
  }
  return at;
}

std::size_t incomplete_suffix(std::string_view text) noexcept {
  for (std::size_t n = 1; n <= 3 && n <= text.size(); ++n) {
    const auto byte = static_cast<unsigned char>(text[text.size() - n]);
    if (is_continuation(byte)) continue;
    if (byte < 0xC2 || byte > 0xF4) return 0;
    const std::size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (n >= length) return 0;
    if (n == 1) return 1;
    // The second byte decides whether this can still become a character (E0, ED, F0, F4 restrict it).
    const auto second = static_cast<unsigned char>(text[text.size() - n + 1]);
    const bool possible = !(byte == 0xE0 && second < 0xA0) && !(byte == 0xED && second > 0x9F) &&
                          !(byte == 0xF0 && second < 0x90) && !(byte == 0xF4 && second > 0x8F);
    return possible ? n : 0;
  }
  return 0;
}

void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)),
        put(0x80 | (code & 0x3F));
  }
}

CharClass class_of(char32_t code) noexcept {
  return code < kTableSize ? class_table()[code] : compute_class(code);
}

CharClass class_of_ascii(unsigned char byte) noexcept {
  return kAsciiTable[byte];
}

bool is_word(char32_t code) noexcept {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  const CharClass kind = class_of(code);
  if (kind == number) return category != UTF8PROC_CATEGORY_NO;
  // Circled and squared Latin letters are symbols that count as alphabetic.
  return kind == letter || kind == mark || category == UTF8PROC_CATEGORY_PC || code == 0x200C ||
         code == 0x200D || (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
         (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
}

}  // namespace kerf::text

// UTF-8 and the few character classes that pre-tokenizers ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kerf::text {

/// One decoded character. An invalid byte decodes to itself with valid = false and length 1.
struct Character {
  char32_t code = 0;
  std::uint8_t length = 1;  ///< bytes
  bool valid = false;
};

/// The character at `text[0]`, which must exist. Strict: overlong forms, surrogates and codes beyond
/// U+10FFFF are invalid (Unicode 16, table 3-7).
[[nodiscard]] Character decode_utf8(std::string_view text) noexcept;

/// Length of the longest prefix of `text` that is valid UTF-8.
[[nodiscard]] std::size_t valid_prefix(std::string_view text) noexcept;

/// Bytes at the end of `text` that begin a character and lack only its end: 0 … 3.
[[nodiscard]] std::size_t incomplete_suffix(std::string_view text) noexcept;

void append_utf8(std::string& text, char32_t code);

/// What regular expressions call \p{L}, \p{M}, \p{N}, \s; the rest is `other`.
enum class CharClass : std::uint8_t { other, letter, mark, number, blank, newline };

/// By Unicode 16, the version that the `tokenizers` library has. \r and \n are `newline`, every other \s
/// is `blank`. Invalid UTF-8 is `other` and must not come here.
[[nodiscard]] CharClass class_of(char32_t code) noexcept;

/// For a byte below 0x80, by table.
[[nodiscard]] CharClass class_of_ascii(unsigned char byte) noexcept;

[[nodiscard]] inline bool is_space(CharClass c) noexcept {
  return c == CharClass::blank || c == CharClass::newline;
}

/// \w: what is alphabetic, marks, decimal digits, connector punctuation and the two joiners.
[[nodiscard]] bool is_word(char32_t code) noexcept;

}  // namespace kerf::text

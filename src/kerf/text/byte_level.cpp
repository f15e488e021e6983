#include "kerf/text/byte_level.h"

#include <array>

#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

constexpr char32_t kFirstStandIn = 0x100;
constexpr std::size_t kAlphabetEnd = 0x100 + 68;

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr auto kCharacters = [] {
  std::array<char32_t, 256> table{};
  char32_t next = kFirstStandIn;
  for (unsigned byte = 0; byte < 256; ++byte) table[byte] = stands_for_itself(byte) ? byte : next++;
  return table;
}();

constexpr auto kBytes = [] {
  std::array<std::int16_t, kAlphabetEnd> table{};
  table.fill(-1);
  for (unsigned byte = 0; byte < 256; ++byte) table[kCharacters[byte]] = static_cast<std::int16_t>(byte);
  return table;
}();

}  // namespace

char32_t byte_level_character(std::uint8_t byte) noexcept {
  return kCharacters[byte];
}

std::optional<std::string> from_byte_level(std::string_view piece) {
  std::string bytes;
  bytes.reserve(piece.size());
  while (!piece.empty()) {
    const Character c = decode_utf8(piece);
    if (!c.valid || c.code >= kAlphabetEnd || kBytes[c.code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kBytes[c.code]));
    piece.remove_prefix(c.length);
  }
  return bytes;
}

std::string to_byte_level(std::string_view bytes) {
  std::string piece;
  piece.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) append_utf8(piece, kCharacters[static_cast<std::uint8_t>(byte)]);
  return piece;
}

}  // namespace kerf::text

// The alphabet of byte-level BPE: each byte is written as one visible character, so that a vocabulary is
// printable text. Printable Latin-1 bytes stand for themselves, the other 68 for U+0100 … U+0143 in order.
// Source: Radford et al. 2019, the encoder published with GPT-2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kerf::text {

/// The character that stands for `byte`.
[[nodiscard]] char32_t byte_level_character(std::uint8_t byte) noexcept;

/// The bytes that `piece` stands for; nothing if it has a character outside the alphabet.
[[nodiscard]] std::optional<std::string> from_byte_level(std::string_view piece);

[[nodiscard]] std::string to_byte_level(std::string_view bytes);

}  // namespace kerf::text

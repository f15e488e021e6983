#include "kerf/text/invalid_bytes.h"

#include <bitset>

#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

constexpr char32_t kPlane = 0x100000;  // plane 16 is private use: 256 blocks of 256 characters

/// The highest block that `text` has no character of; block 0 if it has some of each.
char32_t unused_block(std::string_view text) {
  std::bitset<256> used;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = decode_utf8(text.substr(at));
    if (c.valid && c.code >= kPlane) used.set((c.code >> 8) & 0xFF);
    at += c.length;
  }
  std::size_t block = 255;
  while (block > 0 && used[block]) --block;
  return kPlane + static_cast<char32_t>(block << 8);
}

}  // namespace

std::string_view InvalidBytes::hide(std::string_view text) {
  const std::size_t valid = valid_prefix(text);
  if (valid == text.size()) return text;
  block_ = unused_block(text);
  hidden_.assign(text, 0, valid);
  for (std::size_t at = valid; at < text.size();) {
    const Character c = decode_utf8(text.substr(at));
    if (c.valid)
      hidden_.append(text, at, c.length);
    else
      append_utf8(hidden_, block_ + c.code);
    at += c.length;
  }
  return hidden_;
}

std::string InvalidBytes::restore(std::string_view hidden) const {
  std::string text;
  for (std::size_t at = 0; at < hidden.size();) {
    const Character c = decode_utf8(hidden.substr(at));
    if (c.valid && c.code >= block_ && c.code < block_ + 256)
      text.push_back(static_cast<char>(c.code - block_));
    else
      text.append(hidden, at, c.length);
    at += c.length;
  }
  return text;
}

}  // namespace kerf::text

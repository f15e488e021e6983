#include "kerf/text/tokenizer.h"

#include <algorithm>

#include "kerf/text/unicode.h"

namespace kerf {
namespace {

/// Bytes of the broken character at the beginning: what could have begun a character is one error, not one
/// for each byte (Unicode 16, section 3.9, «maximal subpart»).
std::size_t broken_length(std::string_view bytes) {
  for (std::size_t n = std::min<std::size_t>(3, bytes.size()); n > 1; --n)
    if (text::incomplete_suffix(bytes.substr(0, n)) == n) return n;
  return 1;
}

/// Moves the whole characters at the front of `pending` to the result, broken bytes as U+FFFD.
std::string take_characters(std::string& pending, bool at_end) {
  const std::size_t n = at_end ? pending.size() : pending.size() - text::incomplete_suffix(pending);
  std::string_view left = std::string_view(pending).substr(0, n);
  std::string result;
  while (!left.empty()) {
    const std::size_t valid = text::valid_prefix(left);
    result.append(left, 0, valid);
    left.remove_prefix(valid);
    if (left.empty()) break;
    result.append("\uFFFD");
    left.remove_prefix(broken_length(left));
  }
  pending.erase(0, n);
  return result;
}

}  // namespace

std::string Tokenizer::decode(std::span<const TokenId> ids, bool special) const {
  std::string text;
  for (const TokenId id : ids) text += token_bytes(id, special);
  if (strips_leading_blank() && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

std::string StreamingDecoder::push(TokenId id) {
  std::string bytes = tokenizer_.token_bytes(id, special_);
  if (first_ && !bytes.empty()) {
    first_ = false;
    if (tokenizer_.strips_leading_blank() && bytes.starts_with(' ')) bytes.erase(0, 1);
  }
  pending_ += bytes;
  return take_characters(pending_, false);
}

std::string StreamingDecoder::finish() {
  return take_characters(pending_, true);
}

}  // namespace kerf

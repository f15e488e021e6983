#include "kerf/text/tokenizer.h"

#include "kerf/text/unicode.h"

namespace kerf {
namespace {

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
    // A character that was cut off short is one error, not one for each of its bytes.
    const std::size_t cut_off = text::incomplete_suffix(left);
    left.remove_prefix(cut_off == left.size() ? cut_off : 1);
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

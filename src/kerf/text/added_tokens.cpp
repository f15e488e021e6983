#include "kerf/text/added_tokens.h"

#include <algorithm>

#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

/// The character that ends at `end`.
Character character_before(std::string_view text, std::size_t end) noexcept {
  std::size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return decode_utf8(text.substr(begin, end - begin));
}

bool is_word_before(std::string_view text, std::size_t at) noexcept {
  if (at == 0) return false;
  const Character c = character_before(text, at);
  return c.valid && is_word(c.code);
}

bool is_word_at(std::string_view text, std::size_t at) noexcept {
  if (at >= text.size()) return false;
  const Character c = decode_utf8(text.substr(at));
  return c.valid && is_word(c.code);
}

std::size_t skip_spaces_back(std::string_view text, std::size_t at, std::size_t limit) noexcept {
  while (at > limit) {
    const Character c = character_before(text, at);
    if (!c.valid || !is_space(class_of(c.code))) break;
    at -= c.length;
  }
  return std::max(at, limit);
}

std::size_t skip_spaces(std::string_view text, std::size_t at) noexcept {
  while (at < text.size()) {
    const Character c = decode_utf8(text.substr(at));
    if (!c.valid || !is_space(class_of(c.code))) break;
    at += c.length;
  }
  return at;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.text.empty(); });
  // Of two tokens with one text the later stays.
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const auto& a, const auto& b) { return a.text < b.text; });
  const auto end = std::unique(tokens_.rbegin(), tokens_.rend(),
                               [](const auto& a, const auto& b) { return a.text == b.text; });
  tokens_.erase(tokens_.begin(), end.base());
  prefix_of_.resize(tokens_.size());
  for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
    begins_[static_cast<unsigned char>(tokens_[i].text[0])] = true;
    // In sorted order the longest prefix is the token before, or a prefix of that one, and so on.
    std::uint32_t candidate = i == 0 ? 0 : i - 1;
    while (i > 0 && !tokens_[i].text.starts_with(tokens_[candidate].text) &&
           prefix_of_[candidate] != candidate)
      candidate = prefix_of_[candidate];
    prefix_of_[i] = i > 0 && tokens_[i].text.starts_with(tokens_[candidate].text) ? candidate : i;
  }
}

const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, std::size_t at) const noexcept {
  const std::string_view rest = text.substr(at);
  // The last token that does not sort behind `rest` is the longest match, or has it among its prefixes.
  const auto behind = std::upper_bound(tokens_.begin(), tokens_.end(), rest,
                                       [](std::string_view r, const AddedToken& t) { return r < t.text; });
  if (behind == tokens_.begin()) return nullptr;
  auto i = static_cast<std::uint32_t>(behind - tokens_.begin() - 1);
  while (!rest.starts_with(tokens_[i].text)) {
    if (prefix_of_[i] == i) return nullptr;
    i = prefix_of_[i];
  }
  return &tokens_[i];
}

void AddedTokenMatcher::split(std::string_view text, bool parse_special, FunctionRef<void(Part)> sink) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !tokens_.empty();) {
    const AddedToken* token = begins_[static_cast<unsigned char>(text[at])] ? longest_at(text, at) : nullptr;
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->text.size();
    at = end;
    if (token->special && !parse_special) continue;
    if (token->single_word && (is_word_before(text, begin) || is_word_at(text, end))) continue;
    if (token->strip_left) begin = skip_spaces_back(text, begin, done);
    if (token->strip_right) end = skip_spaces(text, end);
    if (begin > done) sink({text.substr(done, begin - done), done, kNoToken});
    sink({text.substr(begin, end - begin), begin, token->id});
    at = done = end;
  }
  if (done < text.size()) sink({text.substr(done), done, kNoToken});
}

}  // namespace kerf::text

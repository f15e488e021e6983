#include "kerf/text/vocabulary.h"

#include <bit>

#include "kerf/base/check.h"
#include "kerf/text/hash.h"

namespace kerf::text {

void Vocabulary::reserve(std::size_t n_tokens, std::size_t n_bytes) {
  places_.reserve(n_tokens);
  scores_.reserve(n_tokens);
  types_.reserve(n_tokens);
  bytes_.reserve(n_bytes);
  grow_index(n_tokens);
}

TokenId Vocabulary::add(std::string_view piece, TokenType type, float score) {
  KERF_CHECK(piece.size() <= kMaxBytes - bytes_.size());
  const auto id = static_cast<TokenId>(places_.size());
  grow_index(places_.size() + 1);
  places_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(piece.size())});
  scores_.push_back(score);
  types_.push_back(type);
  bytes_.append(piece);
  const std::uint64_t hash = hash_bytes(piece);
  index_[slot_of(piece, hash)] = {static_cast<std::uint32_t>(hash >> 32), id};
  return id;
}

TokenId Vocabulary::find(std::string_view piece) const noexcept {
  return index_.empty() ? kNoToken : index_[slot_of(piece, hash_bytes(piece))].id;
}

TokenId Vocabulary::find_near(TokenId guess, std::string_view wanted) const noexcept {
  for (const TokenId id : {guess, guess + 1})
    if (contains(id) && piece(id) == wanted) return id;
  return find(wanted);
}

void Vocabulary::grow_index(std::size_t n_tokens) {
  if (2 * n_tokens <= index_.size()) return;
  index_.assign(std::bit_ceil(2 * n_tokens + 1), {});
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::uint64_t hash = hash_bytes(piece(id));
    index_[slot_of(piece(id), hash)] = {static_cast<std::uint32_t>(hash >> 32), id};
  }
}

std::size_t Vocabulary::slot_of(std::string_view wanted, std::uint64_t hash) const noexcept {
  const std::size_t mask = index_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  std::size_t slot = hash & mask;
  const auto other = [&](const Slot& s) {
    return s.id != kNoToken && (s.tag != tag || piece(s.id) != wanted);
  };
  while (other(index_[slot])) slot = (slot + 1) & mask;
  return slot;
}

int byte_of_piece(std::string_view piece) noexcept {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  int byte = 0;
  for (const char c : piece.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    byte = byte * 16 + digit;
  }
  return byte;
}

std::string piece_of_byte(std::uint8_t byte) {
  constexpr const char* kHex = "0123456789ABCDEF";
  return {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
}

}  // namespace kerf::text

#include "kerf/text/vocabulary.h"

#include <bit>

#include "kerf/text/hash.h"

namespace kerf::text {

void Vocabulary::reserve(std::size_t n_tokens, std::size_t n_bytes) {
  tokens_.reserve(n_tokens);
  bytes_.reserve(n_bytes);
  grow_index(n_tokens);
}

TokenId Vocabulary::add(std::string_view piece, TokenType type, float score) {
  const auto id = static_cast<TokenId>(tokens_.size());
  grow_index(tokens_.size() + 1);
  tokens_.push_back({bytes_.size(), static_cast<std::uint32_t>(piece.size()), score, type});
  bytes_.append(piece);
  index_[slot_of(piece)] = id;
  return id;
}

TokenId Vocabulary::find(std::string_view piece) const noexcept {
  return index_.empty() ? kNoToken : index_[slot_of(piece)];
}

void Vocabulary::grow_index(std::size_t n_tokens) {
  if (2 * n_tokens <= index_.size()) return;
  index_.assign(std::bit_ceil(2 * n_tokens + 1), kNoToken);
  for (std::size_t id = 0; id < tokens_.size(); ++id)
    index_[slot_of(this->piece(static_cast<TokenId>(id)))] = static_cast<TokenId>(id);
}

std::size_t Vocabulary::slot_of(std::string_view wanted) const noexcept {
  const std::size_t mask = index_.size() - 1;
  std::size_t slot = hash_bytes(wanted) & mask;
  while (index_[slot] != kNoToken && piece(index_[slot]) != wanted) slot = (slot + 1) & mask;
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

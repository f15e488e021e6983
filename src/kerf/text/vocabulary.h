// Vocabulary: token ids, their spelling, type and score.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/text/tokenizer.h"

namespace kerf::text {

/// Numbers as in GGUF's tokenizer.ggml.token_type: do not renumber.
enum class TokenType : std::uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6,
};

constexpr TokenId kNoToken = -1;

/// All spellings lie in one block of memory; the index holds ids only, so that a vocabulary of 150 000
/// tokens is built in a few milliseconds.
class Vocabulary {
 public:
  /// Makes room for `n_tokens` of together `n_bytes`.
  void reserve(std::size_t n_tokens, std::size_t n_bytes);
  /// Adds a token with the next id. Of two tokens of one spelling, the later one is found, as in llama.cpp.
  TokenId add(std::string_view piece, TokenType type = TokenType::normal, float score = 0);

  /// kNoToken if no token is spelled so.
  [[nodiscard]] TokenId find(std::string_view piece) const noexcept;
  [[nodiscard]] bool contains(TokenId id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < tokens_.size();
  }

  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }
  [[nodiscard]] std::string_view piece(TokenId id) const noexcept {
    const Token& token = tokens_[static_cast<std::size_t>(id)];
    return {bytes_.data() + token.begin, token.length};
  }
  [[nodiscard]] TokenType type(TokenId id) const noexcept {
    return tokens_[static_cast<std::size_t>(id)].type;
  }
  [[nodiscard]] float score(TokenId id) const noexcept { return tokens_[static_cast<std::size_t>(id)].score; }
  void set_type(TokenId id, TokenType type) noexcept { tokens_[static_cast<std::size_t>(id)].type = type; }
  void set_score(TokenId id, float score) noexcept { tokens_[static_cast<std::size_t>(id)].score = score; }

 private:
  struct Token {
    std::size_t begin = 0;
    std::uint32_t length = 0;
    float score = 0;
    TokenType type = TokenType::normal;
  };

  void grow_index(std::size_t n_tokens);
  /// The slot that holds `piece`, or the empty one where it belongs.
  [[nodiscard]] std::size_t slot_of(std::string_view piece) const noexcept;

  std::string bytes_;
  std::vector<Token> tokens_;
  std::vector<TokenId> index_;  // open addressing, a power of two, kNoToken is empty
};

/// The byte of a byte token («<0x0A>»), or −1 for any other spelling.
[[nodiscard]] int byte_of_piece(std::string_view piece) noexcept;
/// «<0x0A>».
[[nodiscard]] std::string piece_of_byte(std::uint8_t byte);

}  // namespace kerf::text

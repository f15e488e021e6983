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

/// All spellings lie in one block of memory, of at most kMaxBytes (the caller's business); the index holds
/// ids only, so that a vocabulary of 150 000 tokens is built in a few milliseconds.
class Vocabulary {
 public:
  static constexpr std::size_t kMaxBytes = 1U << 31;

  /// Makes room for `n_tokens` of together `n_bytes`.
  void reserve(std::size_t n_tokens, std::size_t n_bytes);
  /// Adds a token with the next id. Of two tokens of one spelling, the later one is found, as in llama.cpp.
  TokenId add(std::string_view piece, TokenType type = TokenType::normal, float score = 0);

  /// kNoToken if no token is spelled so.
  [[nodiscard]] TokenId find(std::string_view piece) const noexcept;
  /// The same, when it is likely `guess` or the token after it: merges come in the order of their results,
  /// and looking there first spares the cache misses of the index.
  [[nodiscard]] TokenId find_near(TokenId guess, std::string_view piece) const noexcept;
  [[nodiscard]] bool contains(TokenId id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < places_.size();
  }

  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  [[nodiscard]] std::string_view piece(TokenId id) const noexcept {
    const Place& place = places_[static_cast<std::size_t>(id)];
    return {bytes_.data() + place.begin, place.length};
  }
  [[nodiscard]] TokenType type(TokenId id) const noexcept { return types_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] float score(TokenId id) const noexcept { return scores_[static_cast<std::size_t>(id)]; }
  void set_type(TokenId id, TokenType type) noexcept { types_[static_cast<std::size_t>(id)] = type; }

 private:
  /// Of a piece in bytes_.
  struct Place {
    std::uint32_t begin;
    std::uint32_t length;
  };
  /// The upper half of the hash spares most looks at pieces that are not the one.
  struct Slot {
    std::uint32_t tag = 0;
    TokenId id = kNoToken;
  };

  void grow_index(std::size_t n_tokens);
  /// The slot that holds `piece`, or the empty one where it belongs.
  [[nodiscard]] std::size_t slot_of(std::string_view piece, std::uint64_t hash) const noexcept;

  std::string bytes_;
  std::vector<Place> places_;
  std::vector<float> scores_;
  std::vector<TokenType> types_;
  std::vector<Slot> index_;  // open addressing, a power of two
};

/// The byte of a byte token («<0x0A>»), or −1 for any other spelling.
[[nodiscard]] int byte_of_piece(std::string_view piece) noexcept;
/// «<0x0A>».
[[nodiscard]] std::string piece_of_byte(std::uint8_t byte);

}  // namespace kerf::text

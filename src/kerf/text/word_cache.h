// Remembers the ids of words: in running text nearly every word has been seen before.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/text/tokenizer.h"

namespace kerf::text {

/// Bounded in memory (some 4 MB); when full it starts afresh. Not thread-safe.
class WordCache {
 public:
  static constexpr std::size_t kMaxWordBytes = 64;

  WordCache() : slots_(kFirstSlots) {}

  /// Appends the ids of `word` and returns true, if it is known.
  bool append_known(std::string_view word, std::uint64_t hash, std::vector<TokenId>& ids) const;
  /// Words longer than kMaxWordBytes are not remembered.
  void remember(std::string_view word, std::uint64_t hash, std::span<const TokenId> ids);

 private:
  static constexpr std::size_t kFirstSlots = 1 << 10, kMaxSlots = 1 << 17;

  struct Slot {
    std::uint32_t hash = 0;  // its upper half; the lower half gives the place
    std::uint32_t word = 0;  // begin in words_
    std::uint32_t ids = 0;   // begin in ids_
    std::uint16_t n_ids = 0;
    std::uint16_t n_bytes = 0;  // 0: empty slot
  };

  void grow();

  std::vector<Slot> slots_;
  std::string words_;
  std::vector<TokenId> ids_;
  std::size_t n_words_ = 0;
};

}  // namespace kerf::text

// The step that turns one pre-tokenized word into ids: BPE or Unigram.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/text/vocabulary.h"

namespace kerf::text {

/// Buffers that a model needs while it works; kept between words so that a word allocates nothing.
struct Scratch {
  struct Pair {
    std::uint32_t rank;
    TokenId result;
  };
  std::vector<TokenId> symbols;
  std::vector<Pair> pairs;
  std::vector<std::uint32_t> next, previous;
  std::vector<std::uint64_t> heap;
  struct PathNode {
    double score;
    std::uint32_t begin;
    TokenId id;
  };
  std::vector<PathNode> path;
};

class WordModel {
 public:
  virtual ~WordModel() = default;
  /// Appends the ids of `word`, which is not empty.
  virtual void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const = 0;
  /// Length of a first part of `word` whose ids do not depend on what follows, nor the other way round.
  [[nodiscard]] virtual std::size_t independent_prefix(std::string_view word) const noexcept {
    return word.size();
  }
};

/// What a model does with a character that the vocabulary lacks.
struct UnknownPolicy {
  TokenId unknown = kNoToken;  ///< kNoToken: the character is dropped
  bool byte_fallback = false;  ///< first try its bytes as «<0x..>» tokens
  bool fuse = false;           ///< a run of unknown characters is one unknown token
};

}  // namespace kerf::text

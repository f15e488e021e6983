// Unigram language model: of all ways to cut a word into tokens, the one whose scores (log probabilities)
// add up to most. Source: Kudo 2018.
#pragma once

#include <array>
#include <memory>

#include "kerf/text/word_model.h"

namespace kerf::text {

class UnigramModel final : public WordModel {
 public:
  /// Scores are the vocabulary's. Control, unknown, unused and byte tokens are never chosen.
  UnigramModel(std::shared_ptr<const Vocabulary> vocabulary, UnknownPolicy unknown);

  void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const override;

 private:
  using Node = std::uint32_t;
  static constexpr Node kNoNode = 0xFFFFFFFF;
  struct Edge {
    std::uint64_t key = ~0ULL;  // node and byte
    Node target = 0;
  };

  void insert(std::string_view piece, TokenId id);
  [[nodiscard]] std::size_t slot_of(std::uint64_t key) const noexcept;
  [[nodiscard]] Node follow(Node node, char byte) const noexcept;
  void find_best_path(std::string_view word, std::vector<Scratch::PathNode>& path) const;
  void push_unknown(std::string_view text, std::vector<TokenId>& ids) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  UnknownPolicy unknown_;
  double unknown_score_ = 0;
  std::array<TokenId, 256> fallback_{};
  std::vector<TokenId> token_at_;  // of each trie node, or kNoToken
  std::vector<Edge> edges_;        // open addressing, a power of two
};

}  // namespace kerf::text

// Byte pair encoding: of all neighbouring pairs that have a merge, the one of lowest rank (leftmost of
// equals) is replaced by its result, until none is left.
// Sources: Sennrich et al. 2016; Kudo and Richardson 2018 for merging by score.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "kerf/text/word_model.h"

namespace kerf::text {

struct Merge {
  TokenId left;
  TokenId right;
  TokenId result;
  std::uint32_t rank;
};

/// Merges by pair of ids; of two merges of one pair the first is kept.
class MergeTable {
 public:
  explicit MergeTable(std::span<const Merge> merges);
  /// nullptr if the pair has no merge.
  [[nodiscard]] const Scratch::Pair* find(TokenId left, TokenId right) const noexcept;

 private:
  struct Slot {
    TokenId left = kNoToken;
    TokenId right = kNoToken;
    Scratch::Pair pair{};
  };
  std::vector<Slot> slots_;  // open addressing, a power of two
};

struct BpeOptions {
  bool byte_level = false;     ///< words are bytes, spelled by byte_level_character() in the vocabulary
  bool ignore_merges = false;  ///< a word that is a token as a whole is that token
  UnknownPolicy unknown;
};

class BpeModel final : public WordModel {
 public:
  /// `extra` holds symbols that only stand between two merges: their ids follow those of the vocabulary.
  BpeModel(std::shared_ptr<const Vocabulary> vocabulary, Vocabulary extra, std::span<const Merge> merges,
           BpeOptions options);

  void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const override;
  [[nodiscard]] std::size_t independent_prefix(std::string_view word) const noexcept override;

 private:
  void find_first_symbols();
  void find_joints(std::span<const Merge> merges);
  [[nodiscard]] TokenId symbol_of(std::string_view character) const noexcept;
  [[nodiscard]] bool push_bytes(std::string_view character, std::vector<TokenId>& symbols) const;
  void split_bytes(std::string_view word, std::vector<TokenId>& symbols) const;
  void split_characters(std::string_view word, std::vector<TokenId>& symbols) const;
  void merge_short(Scratch& scratch) const;
  void merge_long(Scratch& scratch) const;
  [[nodiscard]] Scratch::Pair pair_of(TokenId left, TokenId right) const noexcept;
  void push_final(TokenId symbol, std::size_t begin, std::vector<TokenId>& ids) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  Vocabulary extra_;
  MergeTable merges_;
  BpeOptions options_;
  std::array<TokenId, 256> byte_symbols_{};  // byte-level: of each byte; else of each ASCII character
  std::array<TokenId, 256> fallback_{};      // «<0x..>» tokens
  bool blank_splits_ = false;                // whether joints_ is all that can cross a ▁
  std::vector<std::string> blank_joints_;    // characters that some merge joins with a following ▁
};

/// SentencePiece's merging by score as merges of ids: every way to cut a token into two tokens (or single
/// characters, which become `extra` symbols where the vocabulary lacks them), the rank being the place of
/// the token's score among all scores. Control, unknown and byte tokens take no part.
std::vector<Merge> merges_by_score(const Vocabulary& vocabulary, Vocabulary& extra);

}  // namespace kerf::text

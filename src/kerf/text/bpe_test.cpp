#include "kerf/text/bpe.h"

#include <gtest/gtest.h>

#include <chrono>

#include "kerf/base/rng.h"

namespace kerf::text {
namespace {

/// A vocabulary over a, b, c with merges of random pairs: results may be reached in several ways.
struct RandomBpe {
  std::shared_ptr<Vocabulary> vocabulary = std::make_shared<Vocabulary>();
  std::vector<Merge> merges;

  explicit RandomBpe(std::uint64_t seed) {
    Rng rng(seed);
    for (const char* letter : {"a", "b", "c"}) vocabulary->add(letter);
    while (merges.size() < 60) {
      const auto left = static_cast<TokenId>(rng.below(vocabulary->size()));
      const auto right = static_cast<TokenId>(rng.below(vocabulary->size()));
      const std::string joined = std::string(vocabulary->piece(left)) + std::string(vocabulary->piece(right));
      if (joined.size() > 12) continue;
      TokenId result = vocabulary->find(joined);
      if (result == kNoToken) result = vocabulary->add(joined);
      merges.push_back({left, right, result, static_cast<std::uint32_t>(merges.size())});
    }
  }
};

/// The definition: the leftmost pair of lowest rank, again and again.
std::vector<TokenId> by_definition(const RandomBpe& bpe, std::string_view word) {
  const MergeTable table(bpe.merges);
  std::vector<TokenId> ids;
  for (const char c : word) ids.push_back(bpe.vocabulary->find({&c, 1}));
  for (;;) {
    const Scratch::Pair* best = nullptr;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const Scratch::Pair* pair = table.find(ids[i], ids[i + 1]);
      if (pair != nullptr && (best == nullptr || pair->rank < best->rank)) best = pair, place = i;
    }
    if (best == nullptr) return ids;
    ids[place] = best->result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(Bpe, ShortAndLongWordsFollowTheDefinition) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const RandomBpe random(seed);
    const BpeModel model(random.vocabulary, Vocabulary(), random.merges, {});
    Rng rng(seed + 100);
    Scratch scratch;
    for (const std::size_t length : {1U, 2U, 3U, 17U, 39U, 40U, 41U, 42U, 300U}) {
      std::string word;
      while (word.size() < length) word += static_cast<char>('a' + rng.below(3));
      std::vector<TokenId> ids;
      model.encode(word, scratch, ids);
      EXPECT_EQ(ids, by_definition(random, word)) << word;
    }
  }
}

TEST(Bpe, MegabytesOfOneLetterTakeNoQuadraticTime) {
  auto vocabulary = std::make_shared<Vocabulary>();
  std::vector<Merge> merges;
  std::string piece = "a";
  vocabulary->add(piece);
  for (TokenId id = 0; id < 6; ++id) {
    piece += piece;
    vocabulary->add(piece);
    merges.push_back({id, id, id + 1, static_cast<std::uint32_t>(id)});
  }
  const BpeModel model(vocabulary, Vocabulary(), merges, {});
  Scratch scratch;
  std::vector<TokenId> ids;
  const auto begin = std::chrono::steady_clock::now();
  model.encode(std::string(1 << 21, 'a'), scratch, ids);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(ids, std::vector<TokenId>((1 << 21) / 64, 6));
  EXPECT_LT(elapsed.count(), 20.0);  // a second or so; quadratic would be hours
}

TEST(Bpe, UnknownCharactersBecomeBytesOrOneUnknownTokenOrNothing) {
  auto vocabulary = std::make_shared<Vocabulary>();
  const TokenId unknown = vocabulary->add("<unk>", TokenType::unknown), a = vocabulary->add("a");
  const auto encode = [&](std::string_view word, UnknownPolicy policy) {
    const BpeModel model(vocabulary, Vocabulary(), {}, {false, false, policy});
    Scratch scratch;
    std::vector<TokenId> ids;
    model.encode(word, scratch, ids);
    return ids;
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(encode("éöa", {unknown, false, true}), (Ids{unknown, a}));
  EXPECT_EQ(encode("éöa", {unknown, false, false}), (Ids{unknown, unknown, a}));
  EXPECT_EQ(encode("éöa", {}), (Ids{a}));
  const TokenId c3 = vocabulary->add("<0xC3>", TokenType::byte),
                a9 = vocabulary->add("<0xA9>", TokenType::byte);
  EXPECT_EQ(encode("éa", {unknown, true, true}), (Ids{c3, a9, a}));
  EXPECT_EQ(encode("öa", {unknown, true, true}), (Ids{unknown, a})) << "one byte token is missing";
}

TEST(MergesByScore, HigherScoresMergeFirstAndMissingLettersStandBetween) {
  Vocabulary vocabulary, extra;
  vocabulary.add("a", TokenType::normal, -9);
  vocabulary.add("ab", TokenType::normal, -2);
  vocabulary.add("bc", TokenType::normal, -1);
  vocabulary.add("abc", TokenType::normal, -3);
  const auto merges = merges_by_score(vocabulary, extra);
  EXPECT_EQ(extra.size(), 2U) << "b and c are letters without a token";
  const BpeModel model(std::make_shared<Vocabulary>(vocabulary), extra, merges, {});
  Scratch scratch;
  std::vector<TokenId> ids;
  model.encode("abcab", scratch, ids);
  EXPECT_EQ(ids, (std::vector<TokenId>{3, 1}));
}

}  // namespace
}  // namespace kerf::text

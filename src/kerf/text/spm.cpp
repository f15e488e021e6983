// SentencePiece's BPE has no list of merges: the pair whose concatenation is the token of highest score is
// merged first. Source: Kudo and Richardson 2018, and sentencepiece's bpe_model.cc.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/text/bpe.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

// A token longer than this takes no part in merging: cutting it everywhere would cost its length squared.
constexpr std::size_t kMaxMergedBytes = 1024;

bool takes_part(TokenType type) noexcept {
  return type == TokenType::normal || type == TokenType::user_defined || type == TokenType::unused;
}

float order_of(float score) noexcept {
  return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
}

/// The rank of each token: 0 for the highest score, equal scores equal ranks.
std::vector<std::uint32_t> ranks_by_score(const Vocabulary& vocabulary) {
  std::vector<float> scores;
  scores.reserve(vocabulary.size());
  for (std::size_t id = 0; id < vocabulary.size(); ++id)
    scores.push_back(order_of(vocabulary.score(static_cast<TokenId>(id))));
  std::vector<float> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  std::vector<std::uint32_t> ranks;
  ranks.reserve(scores.size());
  for (const float score : scores)
    ranks.push_back(static_cast<std::uint32_t>(
        std::lower_bound(sorted.begin(), sorted.end(), score, std::greater<>()) - sorted.begin()));
  return ranks;
}

class MergeFinder {
 public:
  MergeFinder(const Vocabulary& vocabulary, Vocabulary& extra) : vocabulary_(vocabulary), extra_(extra) {}

  void add_cuts(TokenId id, std::uint32_t rank, std::vector<Merge>& merges) {
    const std::string_view piece = vocabulary_.piece(id);
    if (piece.size() > kMaxMergedBytes) return;
    for (std::size_t cut = length_at(piece, 0); cut < piece.size(); cut += length_at(piece, cut)) {
      const TokenId left = part(piece.substr(0, cut));
      const TokenId right = left == kNoToken ? kNoToken : part(piece.substr(cut));
      if (right != kNoToken) merges.push_back({left, right, id, rank});
    }
  }

 private:
  static std::size_t length_at(std::string_view text, std::size_t at) {
    return decode_utf8(text.substr(at)).length;
  }

  /// The symbol that `text` can be while merging goes on: a token, or a single character.
  TokenId part(std::string_view text) {
    const TokenId id = vocabulary_.find(text);
    if (id != kNoToken && takes_part(vocabulary_.type(id))) return id;
    if (length_at(text, 0) != text.size()) return kNoToken;
    // The character may be spelled like a token that takes no part; as a symbol it is still a character.
    if (id != kNoToken) return id;
    const TokenId known = extra_.find(text);
    return static_cast<TokenId>(vocabulary_.size()) + (known != kNoToken ? known : extra_.add(text));
  }

  const Vocabulary& vocabulary_;
  Vocabulary& extra_;
};

}  // namespace

std::vector<Merge> merges_by_score(const Vocabulary& vocabulary, Vocabulary& extra) {
  const std::vector<std::uint32_t> ranks = ranks_by_score(vocabulary);
  MergeFinder finder(vocabulary, extra);
  std::vector<Merge> merges;
  merges.reserve(2 * vocabulary.size());
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    // Of two tokens of one spelling only the one that find() gives can come out.
    if (takes_part(vocabulary.type(id)) && vocabulary.find(vocabulary.piece(id)) == id)
      finder.add_cuts(id, ranks[i], merges);
  }
  return merges;
}

}  // namespace kerf::text

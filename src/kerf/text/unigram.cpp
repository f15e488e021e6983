#include "kerf/text/unigram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kerf/text/hash.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

// What an unknown character costs more than the least likely token (SentencePiece's kUnkPenalty).
constexpr double kUnknownPenalty = 10;
// Longer tokens are not looked for: a trie of hostile tokens stays small.
constexpr std::size_t kMaxPieceBytes = 1024;
constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

}  // namespace

UnigramModel::UnigramModel(std::shared_ptr<const Vocabulary> vocabulary, UnknownPolicy unknown)
    : vocabulary_(std::move(vocabulary)), unknown_(unknown), token_at_(1, kNoToken), edges_(1 << 12) {
  double lowest = 0;
  for (std::size_t i = 0; i < vocabulary_->size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const TokenType type = vocabulary_->type(id);
    const std::string_view piece = vocabulary_->piece(id);
    if (type == TokenType::normal && std::isfinite(vocabulary_->score(id)))
      lowest = std::min(lowest, static_cast<double>(vocabulary_->score(id)));
    if ((type == TokenType::normal || type == TokenType::user_defined) && !piece.empty() &&
        piece.size() <= kMaxPieceBytes)
      insert(piece, id);
  }
  unknown_score_ = lowest - kUnknownPenalty;
  for (unsigned byte = 0; byte < 256; ++byte)
    fallback_[byte] = vocabulary_->find(piece_of_byte(static_cast<std::uint8_t>(byte)));
}

std::size_t UnigramModel::slot_of(std::uint64_t key) const noexcept {
  const std::size_t mask = edges_.size() - 1;
  std::size_t slot = fold_multiply(key ^ 0x9E3779B97F4A7C15ULL, 0xD6E8FEB86659FD93ULL) & mask;
  while (edges_[slot].key != key && edges_[slot].key != ~0ULL) slot = (slot + 1) & mask;
  return slot;
}

UnigramModel::Node UnigramModel::follow(Node node, char byte) const noexcept {
  const Edge& edge = edges_[slot_of(static_cast<std::uint64_t>(node) << 8 | static_cast<std::uint8_t>(byte))];
  return edge.key == ~0ULL ? kNoNode : edge.target;
}

void UnigramModel::insert(std::string_view piece, TokenId id) {
  Node node = 0;
  for (const char byte : piece) {
    const std::uint64_t key = static_cast<std::uint64_t>(node) << 8 | static_cast<std::uint8_t>(byte);
    std::size_t slot = slot_of(key);
    if (edges_[slot].key == ~0ULL) {
      if (2 * token_at_.size() > edges_.size()) {
        std::vector<Edge> old(2 * edges_.size());
        old.swap(edges_);
        for (const Edge& edge : old)
          if (edge.key != ~0ULL) edges_[slot_of(edge.key)] = edge;
        slot = slot_of(key);
      }
      edges_[slot] = {key, static_cast<Node>(token_at_.size())};
      token_at_.push_back(kNoToken);
    }
    node = edges_[slot].target;
  }
  token_at_[node] = id;
}

/// path[i] becomes the best way to reach byte i: its score, where its last token begins, and that token.
void UnigramModel::find_best_path(std::string_view word, std::vector<Scratch::PathNode>& path) const {
  path.assign(word.size() + 1, {0, kNowhere, kNoToken});
  path[0].begin = 0;
  const auto offer = [&](std::size_t begin, std::size_t end, TokenId id, double score) {
    const double sum = path[begin].score + score;
    if (path[end].begin == kNowhere || sum > path[end].score)
      path[end] = {sum, static_cast<std::uint32_t>(begin), id};
  };
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t length = decode_utf8(word.substr(begin)).length;
    bool whole_character = false;
    Node node = 0;
    for (std::size_t end = begin; end < word.size();) {
      node = follow(node, word[end++]);
      if (node == kNoNode) break;
      const TokenId id = token_at_[node];
      if (id == kNoToken) continue;
      // User-defined tokens are preferred to anything that has a probability.
      const bool defined = vocabulary_->type(id) == TokenType::user_defined;
      offer(begin, end, id, defined ? 0.0 : static_cast<double>(vocabulary_->score(id)));
      whole_character |= end - begin == length;
    }
    if (!whole_character) offer(begin, begin + length, kNoToken, unknown_score_);
    begin += length;
  }
}

void UnigramModel::push_unknown(std::string_view text, std::vector<TokenId>& ids) const {
  const auto token = [&](char byte) { return fallback_[static_cast<std::uint8_t>(byte)]; };
  const bool bytes = unknown_.byte_fallback && std::all_of(text.begin(), text.end(), [&](char byte) {
                       return token(byte) != kNoToken;
                     });
  if (bytes)
    for (const char byte : text) ids.push_back(token(byte));
  else if (unknown_.unknown != kNoToken)
    ids.push_back(unknown_.unknown);
}

void UnigramModel::encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const {
  auto& path = scratch.path;
  find_best_path(word, path);
  // From the end: mark the cuts, then walk them forward.
  auto& cuts = scratch.next;
  cuts.clear();
  for (std::size_t end = word.size(); end > 0; end = path[end].begin)
    cuts.push_back(static_cast<std::uint32_t>(end));
  std::reverse(cuts.begin(), cuts.end());
  std::size_t unknown_begin = 0, at = 0;
  bool in_unknown = false;
  for (const std::uint32_t end : cuts) {
    const TokenId id = path[end].id;
    if (in_unknown && (id != kNoToken || !unknown_.fuse)) {
      push_unknown(word.substr(unknown_begin, at - unknown_begin), ids);
      in_unknown = false;
    }
    if (id != kNoToken) {
      ids.push_back(id);
    } else if (!in_unknown) {
      in_unknown = true;
      unknown_begin = at;
    }
    at = end;
  }
  if (in_unknown) push_unknown(word.substr(unknown_begin), ids);
}

}  // namespace kerf::text

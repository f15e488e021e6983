#include "kerf/text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "kerf/text/byte_level.h"
#include "kerf/text/hash.h"
#include "kerf/text/unicode.h"

namespace kerf::text {
namespace {

constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t kEnd = std::numeric_limits<std::uint32_t>::max();
constexpr std::string_view kBlank = "\u2581";

// Up to here the search for the lowest rank by a scan beats the heap.
constexpr std::size_t kShortWord = 40;

std::string_view last_character(std::string_view text) noexcept {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return text.substr(begin);
}

}  // namespace

MergeTable::MergeTable(std::span<const Merge> merges)
    : slots_(std::bit_ceil(merges.size() + merges.size() / 2 + 1)) {
  const std::size_t mask = slots_.size() - 1;
  for (const Merge& merge : merges) {
    std::size_t slot =
        hash_pair(static_cast<std::uint32_t>(merge.left), static_cast<std::uint32_t>(merge.right)) & mask;
    const auto taken = [&] { return slots_[slot].left != kNoToken; };
    const auto same = [&] { return slots_[slot].left == merge.left && slots_[slot].right == merge.right; };
    while (taken() && !same()) slot = (slot + 1) & mask;
    if (!taken()) slots_[slot] = {merge.left, merge.right, {merge.rank, merge.result}};
  }
}

const Scratch::Pair* MergeTable::find(TokenId left, TokenId right) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_pair(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right)) & mask;
  for (; slots_[slot].left != kNoToken; slot = (slot + 1) & mask)
    if (slots_[slot].left == left && slots_[slot].right == right) return &slots_[slot].pair;
  return nullptr;
}

BpeModel::BpeModel(std::shared_ptr<const Vocabulary> vocabulary, Vocabulary extra,
                   std::span<const Merge> merges, BpeOptions options)
    : vocabulary_(std::move(vocabulary)), extra_(std::move(extra)), merges_(merges), options_(options) {
  find_first_symbols();
  find_joints(merges);
}

void BpeModel::find_first_symbols() {
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string character;
    if (options_.byte_level)
      append_utf8(character, byte_level_character(static_cast<std::uint8_t>(byte)));
    else
      character.assign(1, static_cast<char>(byte));
    byte_symbols_[byte] = options_.byte_level || byte < 128 ? symbol_of(character) : kNoToken;
    fallback_[byte] = vocabulary_->find(piece_of_byte(static_cast<std::uint8_t>(byte)));
  }
}

/// A blank splits a word where no merge has a left part that ends with the character before it and a right
/// part that begins with it: whatever is merged on either side, nothing crosses.
void BpeModel::find_joints(std::span<const Merge> merges) {
  if (options_.byte_level || options_.ignore_merges || vocabulary_->find(kBlank) == kNoToken) return;
  const auto spelling = [&](TokenId id) {
    return vocabulary_->contains(id) ? vocabulary_->piece(id)
                                     : extra_.piece(id - static_cast<TokenId>(vocabulary_->size()));
  };
  for (const Merge& merge : merges) {
    if (!spelling(merge.right).starts_with(kBlank)) continue;
    const std::string_view left = spelling(merge.left);
    // A byte or unknown token does not end with the character that it is spelled with.
    if (left.empty() || byte_of_piece(left) >= 0 || merge.left == options_.unknown.unknown) return;
    const std::string joint(last_character(left));
    if (std::find(blank_joints_.begin(), blank_joints_.end(), joint) == blank_joints_.end())
      blank_joints_.push_back(joint);
    if (blank_joints_.size() > 16) return;
  }
  blank_splits_ = true;
}

std::size_t BpeModel::independent_prefix(std::string_view word) const noexcept {
  if (!blank_splits_) return word.size();
  for (std::size_t at = word.find(kBlank, 1); at != std::string_view::npos; at = word.find(kBlank, at + 1)) {
    const std::string_view before = word.substr(0, at);
    const bool joined = std::any_of(blank_joints_.begin(), blank_joints_.end(),
                                    [&](const std::string& joint) { return before.ends_with(joint); });
    if (!joined) return at;
  }
  return word.size();
}

TokenId BpeModel::symbol_of(std::string_view character) const noexcept {
  const TokenId id = vocabulary_->find(character);
  if (id != kNoToken) return id;
  const TokenId extra = extra_.find(character);
  return extra == kNoToken ? kNoToken : extra + static_cast<TokenId>(vocabulary_->size());
}

bool BpeModel::push_bytes(std::string_view character, std::vector<TokenId>& symbols) const {
  if (!options_.unknown.byte_fallback) return false;
  const auto token = [&](char byte) { return fallback_[static_cast<std::uint8_t>(byte)]; };
  for (const char byte : character)
    if (token(byte) == kNoToken) return false;
  for (const char byte : character) symbols.push_back(token(byte));
  return true;
}

void BpeModel::split_bytes(std::string_view word, std::vector<TokenId>& symbols) const {
  for (const char byte : word) {
    TokenId symbol = byte_symbols_[static_cast<std::uint8_t>(byte)];
    if (symbol == kNoToken) symbol = options_.unknown.unknown;
    if (symbol != kNoToken) symbols.push_back(symbol);
  }
}

void BpeModel::split_characters(std::string_view word, std::vector<TokenId>& symbols) const {
  bool pending_unknown = false;
  while (!word.empty()) {
    const auto lead = static_cast<unsigned char>(word[0]);
    const std::size_t length = lead < 0x80 ? 1 : decode_utf8(word).length;
    const std::string_view character = word.substr(0, length);
    word.remove_prefix(length);
    const TokenId symbol = lead < 0x80 ? byte_symbols_[lead] : symbol_of(character);
    if (symbol != kNoToken) {
      symbols.push_back(symbol);
      pending_unknown = false;
    } else if (!push_bytes(character, symbols) && options_.unknown.unknown != kNoToken) {
      if (!pending_unknown || !options_.unknown.fuse) symbols.push_back(options_.unknown.unknown);
      pending_unknown = true;
    }
  }
}

Scratch::Pair BpeModel::pair_of(TokenId left, TokenId right) const noexcept {
  const Scratch::Pair* found = merges_.find(left, right);
  return found != nullptr ? *found : Scratch::Pair{kNoRank, kNoToken};
}

void BpeModel::merge_short(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& pairs = scratch.pairs;  // pairs[i] is of symbols i and i+1
  pairs.clear();
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) pairs.push_back(pair_of(symbols[i], symbols[i + 1]));
  while (!pairs.empty()) {
    const auto best = std::min_element(pairs.begin(), pairs.end(),
                                       [](const auto& a, const auto& b) { return a.rank < b.rank; });
    if (best->rank == kNoRank) return;
    const auto at = static_cast<std::size_t>(best - pairs.begin());
    symbols[at] = best->result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    pairs.erase(best);
    if (at > 0) pairs[at - 1] = pair_of(symbols[at - 1], symbols[at]);
    if (at + 1 < symbols.size()) pairs[at] = pair_of(symbols[at], symbols[at + 1]);
  }
}

/// The same with a heap over a linked list: n log n for a word of any length.
void BpeModel::merge_long(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& pairs = scratch.pairs;  // of a symbol and its successor
  auto& next = scratch.next;
  auto& previous = scratch.previous;
  auto& heap = scratch.heap;  // rank and place: the smallest is the next to merge
  const std::size_t n = symbols.size();
  pairs.resize(n), next.resize(n), previous.resize(n), heap.clear();
  const auto entry = [&](std::size_t i) { return static_cast<std::uint64_t>(pairs[i].rank) << 32 | i; };
  for (std::size_t i = 0; i < n; ++i) {
    next[i] = i + 1 < n ? static_cast<std::uint32_t>(i + 1) : kEnd;
    previous[i] = i > 0 ? static_cast<std::uint32_t>(i - 1) : kEnd;
    pairs[i] = i + 1 < n ? pair_of(symbols[i], symbols[i + 1]) : Scratch::Pair{kNoRank, kNoToken};
    if (pairs[i].rank != kNoRank) heap.push_back(entry(i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto refresh = [&](std::uint32_t i) {
    pairs[i] = next[i] == kEnd ? Scratch::Pair{kNoRank, kNoToken} : pair_of(symbols[i], symbols[next[i]]);
    if (pairs[i].rank == kNoRank) return;
    heap.push_back(entry(i));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const std::uint64_t top = heap.back();
    heap.pop_back();
    const auto at = static_cast<std::uint32_t>(top);
    // Outdated if the symbol has been swallowed or its pair has changed since.
    if (symbols[at] == kNoToken || pairs[at].rank != top >> 32) continue;
    const std::uint32_t right = next[at];
    symbols[at] = pairs[at].result;
    symbols[right] = kNoToken;
    next[at] = next[right];
    if (next[at] != kEnd) previous[next[at]] = at;
    refresh(at);
    if (previous[at] != kEnd) refresh(previous[at]);
  }
  symbols.erase(std::remove(symbols.begin(), symbols.end(), kNoToken), symbols.end());
}

/// `begin` is where the ids of this word begin.
void BpeModel::push_final(TokenId symbol, std::size_t begin, std::vector<TokenId>& ids) const {
  if (vocabulary_->contains(symbol)) {
    ids.push_back(symbol);
    return;
  }
  const std::string_view character = extra_.piece(symbol - static_cast<TokenId>(vocabulary_->size()));
  const TokenId unknown = options_.unknown.unknown;
  if (push_bytes(character, ids) || unknown == kNoToken) return;
  if (!options_.unknown.fuse || ids.size() == begin || ids.back() != unknown) ids.push_back(unknown);
}

void BpeModel::encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& ids) const {
  if (options_.ignore_merges) {
    const TokenId whole = vocabulary_->find(options_.byte_level ? to_byte_level(word) : std::string(word));
    if (whole != kNoToken) {
      ids.push_back(whole);
      return;
    }
  }
  scratch.symbols.clear();
  options_.byte_level ? split_bytes(word, scratch.symbols) : split_characters(word, scratch.symbols);
  scratch.symbols.size() <= kShortWord ? merge_short(scratch) : merge_long(scratch);
  const std::size_t begin = ids.size();
  for (const TokenId symbol : scratch.symbols) push_final(symbol, begin, ids);
}

}  // namespace kerf::text

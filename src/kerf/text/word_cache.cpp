#include "kerf/text/word_cache.h"

#include <cstring>

#include "kerf/text/hash.h"

namespace kerf::text {

bool WordCache::append_known(std::string_view word, std::uint64_t hash, std::vector<TokenId>& ids) const {
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t at = hash & mask; slots_[at].n_bytes != 0; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash != tag || slot.n_bytes != word.size() ||
        std::memcmp(words_.data() + slot.word, word.data(), word.size()) != 0)
      continue;
    const TokenId* first = ids_.data() + slot.ids;
    if (slot.n_ids == 1)
      ids.push_back(*first);
    else
      ids.insert(ids.end(), first, first + slot.n_ids);
    return true;
  }
  return false;
}

void WordCache::remember(std::string_view word, std::uint64_t hash, std::span<const TokenId> ids) {
  if (word.empty() || word.size() > kMaxWordBytes) return;
  if (2 * (n_words_ + 1) > slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].n_bytes != 0) at = (at + 1) & mask;
  slots_[at] = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(words_.size()),
                static_cast<std::uint32_t>(ids_.size()), static_cast<std::uint16_t>(ids.size()),
                static_cast<std::uint16_t>(word.size())};
  words_.append(word);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  ++n_words_;
}

void WordCache::grow() {
  if (slots_.size() >= kMaxSlots) {
    *this = WordCache();
    return;
  }
  std::vector<Slot> old(slots_.size() * 4 > kMaxSlots ? kMaxSlots : slots_.size() * 4);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.n_bytes == 0) continue;
    std::size_t at = hash_bytes({words_.data() + slot.word, slot.n_bytes}) & mask;
    while (slots_[at].n_bytes != 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

}  // namespace kerf::text

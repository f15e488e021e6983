#include "kerf/kv/kv_cache.h"

#include "kerf/base/check.h"

namespace kerf {

void KvCache::truncate(std::size_t length) noexcept {
  if (length < length_) length_ = length;
}

void KvCache::advance(std::size_t n) noexcept {
  KERF_CHECK(n <= shape_.capacity - length_);
  length_ += n;
}

}  // namespace kerf

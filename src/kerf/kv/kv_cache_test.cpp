#include "kerf/kv/kv_cache.h"

#include <gtest/gtest.h>

namespace kerf {
namespace {

constexpr KvShape kShape{.n_layers = 2, .n_heads = 3, .head_width = 5, .capacity = 300};

float key_of(std::size_t layer, std::size_t position, std::size_t column) {
  return static_cast<float>(layer * 100000 + position * 100 + column);
}

/// Appends `n` tokens whose keys are key_of() and whose values are the negated keys.
void append(KvCache& cache, std::size_t n, ThreadPool& pool) {
  const std::size_t width = cache.shape().n_heads * cache.shape().head_width;
  const std::size_t stride = 2 * width + 7;
  ASSERT_TRUE(cache.reserve(n));
  for (std::size_t layer = 0; layer < cache.shape().n_layers; ++layer) {
    std::vector<float> rows(n * stride);
    for (std::size_t t = 0; t < n; ++t)
      for (std::size_t c = 0; c < width; ++c) {
        rows[t * stride + c] = key_of(layer, cache.length() + t, c);
        rows[t * stride + width + c] = -key_of(layer, cache.length() + t, c);
      }
    cache.store(layer, rows.data(), rows.data() + width, stride, n, pool);
  }
  cache.advance(n);
}

void expect_tokens(const KvCache& cache) {
  const std::size_t width = cache.shape().head_width;
  for (std::size_t layer = 0; layer < cache.shape().n_layers; ++layer)
    for (std::size_t head = 0; head < cache.shape().n_heads; ++head)
      for (std::size_t p = 0; p < cache.length(); ++p) {
        const KvCache::View view = cache.view(layer, head, p / KvCache::kBlock);
        for (std::size_t d = 0; d < width; ++d) {
          const float expected = key_of(layer, p, head * width + d);
          ASSERT_EQ(view.keys[p % KvCache::kBlock * width + d], expected);
          ASSERT_EQ(view.values[d * KvCache::kBlock + p % KvCache::kBlock], -expected);
        }
      }
}

TEST(KvCache, HoldsWhatWasStoredAcrossBlocks) {
  ThreadPool pool(2);
  const auto cache = make_f32_cache(kShape);
  for (const std::size_t n : {1U, 126U, 3U, 170U}) append(*cache, n, pool);
  EXPECT_EQ(cache->length(), 300U);
  expect_tokens(*cache);
}

TEST(KvCache, TruncatedTokensAreReplaced) {
  ThreadPool pool(1);
  const auto cache = make_f32_cache(kShape);
  append(*cache, 200, pool);
  cache->truncate(100);
  cache->truncate(150);  // cannot grow
  EXPECT_EQ(cache->length(), 100U);
  append(*cache, 50, pool);
  expect_tokens(*cache);
}

TEST(KvCache, MemoryFollowsLength) {
  ThreadPool pool(1);
  const auto cache = make_f32_cache(kShape);
  EXPECT_EQ(cache->allocated_bytes(), 0U);
  append(*cache, 1, pool);
  const std::size_t block = KvCache::kBlock * 2 * 3 * 5 * 2 * sizeof(float);
  EXPECT_EQ(cache->allocated_bytes(), block);
  append(*cache, 128, pool);
  EXPECT_EQ(cache->allocated_bytes(), 2 * block);
}

TEST(KvCache, RefusesMoreThanItsCapacity) {
  ThreadPool pool(1);
  const auto cache = make_f32_cache(kShape);
  append(*cache, 290, pool);
  const auto result = cache->reserve(11);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::usage);
  EXPECT_TRUE(cache->reserve(10));
}

}  // namespace
}  // namespace kerf

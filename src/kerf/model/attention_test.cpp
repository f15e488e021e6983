#include "kerf/model/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

constexpr std::size_t kHeads = 6, kKvHeads = 2, kWidth = 10;
constexpr std::size_t kQStride = kHeads * kWidth + 3;

/// Keys and values of `n` tokens, [n, H_kv·D] each, and queries [n, H·D] in rows of kQStride.
struct Tokens {
  explicit Tokens(std::size_t n) : k(n * kKvHeads * kWidth), v(k.size()), q(n * kQStride) {
    Rng rng(n);
    for (auto* numbers : {&k, &v, &q})
      for (float& x : *numbers) x = static_cast<float>(2.0 * rng.normal());
  }
  std::vector<float> k, v, q;
};

/// The definition, in binary64: the result for the token at `position`, [H·D].
std::vector<double> expected(const AttentionShape& shape, const Tokens& tokens, std::size_t position) {
  std::vector<double> out(kHeads * kWidth, 0.0);
  const std::size_t first = shape.window == 0 || position < shape.window ? 0 : position - shape.window + 1;
  for (std::size_t h = 0; h < kHeads; ++h) {
    const std::size_t kv = h / (kHeads / kKvHeads);
    std::vector<double> weight;
    double sum = 0;
    for (std::size_t p = first; p <= position; ++p) {
      double dot = 0;
      for (std::size_t d = 0; d < kWidth; ++d)
        dot += double{tokens.q[position * kQStride + h * kWidth + d]} *
               double{tokens.k[(p * kKvHeads + kv) * kWidth + d]};
      weight.push_back(std::exp(dot * static_cast<double>(shape.scale)));
      sum += weight.back();
    }
    for (std::size_t p = first; p <= position; ++p)
      for (std::size_t d = 0; d < kWidth; ++d)
        out[h * kWidth + d] += weight[p - first] / sum * tokens.v[(p * kKvHeads + kv) * kWidth + d];
  }
  return out;
}

/// Feeds the tokens in portions of `chunk` through cache and attention().
std::vector<float> run(const AttentionShape& shape, const Tokens& tokens, std::size_t n, std::size_t chunk,
                       unsigned n_threads) {
  ThreadPool pool(n_threads);
  AttentionScratch scratch;
  const auto cache = make_f32_cache({1, kKvHeads, kWidth, n});
  std::vector<float> out(n * kHeads * kWidth);
  constexpr std::size_t kStride = kKvHeads * kWidth;
  for (std::size_t begin = 0; begin < n; begin += chunk) {
    const std::size_t count = std::min(chunk, n - begin);
    EXPECT_TRUE(cache->reserve(count));
    cache->store(0, tokens.k.data() + begin * kStride, tokens.v.data() + begin * kStride, kStride, count,
                 pool);
    attention(shape, *cache, 0, tokens.q.data() + begin * kQStride, kQStride, count,
              out.data() + begin * kHeads * kWidth, scratch, pool);
    cache->advance(count);
  }
  return out;
}

TEST(Attention, EqualsTheDefinitionForAnyWindowAndPortion) {
  constexpr std::size_t kTokens = 300;  // more than two blocks of keys and four tiles of queries
  const Tokens tokens(kTokens);
  for (const std::size_t window : {0U, 1U, 5U, 100U, 129U, 300U, 1000U}) {
    const AttentionShape shape{kHeads, kKvHeads, kWidth, 0.3F, window};
    const std::vector<float> whole = run(shape, tokens, kTokens, kTokens, 2);
    for (std::size_t p = 0; p < kTokens; ++p) {
      const std::vector<double> wanted = expected(shape, tokens, p);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        ASSERT_NEAR(whole[p * wanted.size() + i], wanted[i], 2e-5) << "window " << window << " token " << p;
    }
    for (const std::size_t chunk : {1U, 37U, 128U}) {
      const std::vector<float> pieces = run(shape, tokens, kTokens, chunk, 1);
      for (std::size_t i = 0; i < whole.size(); ++i)
        ASSERT_NEAR(pieces[i], whole[i], 2e-5) << "window " << window << " chunk " << chunk;
    }
  }
}

TEST(Attention, ThreadsChangeNothing) {
  const Tokens tokens(200);
  const AttentionShape shape{kHeads, kKvHeads, kWidth, 0.3F, 150};
  EXPECT_EQ(run(shape, tokens, 200, 200, 1), run(shape, tokens, 200, 200, 3));
}

TEST(Attention, LargeScoresDoNotOverflow) {
  Tokens tokens(140);
  for (float& x : tokens.q) x *= 100.0F;
  const AttentionShape shape{kHeads, kKvHeads, kWidth, 10.0F, 0};
  for (const float x : run(shape, tokens, 140, 140, 1)) ASSERT_TRUE(std::isfinite(x));
}

}  // namespace
}  // namespace kerf

// The way back through attention against its definition in binary64, on windows of several blocks.
#include "kerf/model/attention_backward.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

using Numbers = std::vector<double>;

/// Gradients of Σ out·d_out by the definition; rows of x hold queries, keys and values side by side.
struct Definition {
  const AttentionShape& shape;
  std::size_t n_tokens;
  const std::vector<float>& x;
  const std::vector<float>& d_out;

  [[nodiscard]] std::size_t stride() const {
    return (shape.n_heads + 2 * shape.n_kv_heads) * shape.head_width;
  }
  [[nodiscard]] std::size_t key(std::size_t t, std::size_t head) const {
    return t * stride() + (shape.n_heads + head / (shape.n_heads / shape.n_kv_heads)) * shape.head_width;
  }
  [[nodiscard]] double dot(const std::vector<float>& a, std::size_t i, std::size_t j) const {
    double sum = 0;
    for (std::size_t d = 0; d < shape.head_width; ++d) sum += double{a[i + d]} * x[j + d];
    return sum;
  }

  void of_query(std::size_t t, std::size_t head, Numbers& dx) const {
    const std::size_t first = shape.window == 0 || t < shape.window ? 0 : t - shape.window + 1;
    const std::size_t q = t * stride() + head * shape.head_width;
    const std::size_t out = (t * shape.n_heads + head) * shape.head_width;
    const std::size_t to_values = shape.n_kv_heads * shape.head_width;
    Numbers p, dp;
    double sum = 0, mean = 0;
    for (std::size_t i = first; i <= t; ++i) {
      p.push_back(std::exp(double{shape.scale} * dot(x, q, key(i, head))));
      dp.push_back(dot(d_out, out, key(i, head) + to_values));
      sum += p.back();
    }
    for (std::size_t i = 0; i < p.size(); ++i) mean += (p[i] /= sum) * dp[i];
    for (std::size_t i = 0; i < p.size(); ++i) {
      const std::size_t k = key(first + i, head);
      const double ds = p[i] * (dp[i] - mean) * double{shape.scale};
      for (std::size_t d = 0; d < shape.head_width; ++d) {
        dx[q + d] += ds * x[k + d];
        dx[k + d] += ds * x[q + d];
        dx[k + to_values + d] += p[i] * d_out[out + d];
      }
    }
  }
};

void expect_definition(const AttentionShape& shape, std::size_t n_tokens) {
  const std::size_t q_width = shape.n_heads * shape.head_width,
                    kv_width = shape.n_kv_heads * shape.head_width;
  const std::size_t stride = q_width + 2 * kv_width;
  Rng rng(n_tokens);
  std::vector<float> x(n_tokens * stride), d_out(n_tokens * q_width), out(n_tokens * q_width);
  for (std::vector<float>* values : {&x, &d_out})
    for (float& value : *values) value = static_cast<float>(rng.normal());

  ThreadPool pool(2);
  const auto cache = make_f32_cache({1, shape.n_kv_heads, shape.head_width, n_tokens});
  ASSERT_TRUE(cache->reserve(n_tokens));
  cache->store(0, x.data() + q_width, x.data() + q_width + kv_width, stride, n_tokens, pool);
  AttentionScratch scratch;
  std::vector<float> log_sums(n_tokens * shape.n_heads);
  attention(shape, *cache, 0, x.data(), stride, n_tokens, out.data(), scratch, pool, log_sums.data());

  const AttentionPass pass{x.data(), x.data() + q_width, x.data() + q_width + kv_width,
                           stride,   out.data(),         log_sums.data(),
                           n_tokens};
  AttentionBackwardScratch back;
  std::vector<float> dx(x.size(), 99.0F);
  attention_backward(shape, pass, d_out.data(), dx.data(), dx.data() + q_width,
                     dx.data() + q_width + kv_width, stride, back, pool);

  Numbers expected(x.size());
  for (std::size_t t = 0; t < n_tokens; ++t)
    for (std::size_t head = 0; head < shape.n_heads; ++head)
      Definition{shape, n_tokens, x, d_out}.of_query(t, head, expected);
  for (std::size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(dx[i], expected[i], 2e-5) << "token " << i / stride << ", column " << i % stride;
}

TEST(AttentionBackward, WholeContext) {
  expect_definition({.n_heads = 4, .n_kv_heads = 2, .head_width = 20, .scale = 0.3F}, 300);
}

TEST(AttentionBackward, Windows) {
  // Narrower than a tile, as wide as a block of keys, and one that ends inside of a later block.
  for (const std::size_t window : {1U, 5U, 128U, 200U})
    expect_definition({.n_heads = 3, .n_kv_heads = 1, .head_width = 8, .scale = 0.5F, .window = window}, 400);
}

TEST(AttentionBackward, ShortWindows) {
  for (const std::size_t n_tokens : {1U, 2U, 63U, 65U, 128U, 129U})
    expect_definition({.n_heads = 2, .n_kv_heads = 2, .head_width = 16, .scale = 0.25F}, n_tokens);
}

}  // namespace
}  // namespace kerf

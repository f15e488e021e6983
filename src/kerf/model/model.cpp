// The block walk: what a transformer does with a batch of tokens, from ids to logits.
#include "kerf/model/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/attention.h"
#include "kerf/model/mlp.h"
#include "kerf/model/rope.h"
#include "kerf/model/rows.h"
#include "kerf/model/weights.h"

namespace kerf {
namespace {

// Tokens that go through a layer together: enough that decoding a weight is small beside its products.
constexpr std::size_t kBatch = 512;

void softcap(float cap, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = cap * std::tanh(y[i] / cap);
}

/// What lies between the operations for a batch of T tokens, reused for every layer and batch.
struct Activations {
  std::vector<float> residual;   // [T, C]
  std::vector<float> normed;     // [T, C]; also what a block adds to the residual
  std::vector<float> qkv;        // [T, (H + 2·H_kv)·D]
  std::vector<float> attended;   // [T, H·D]
  std::vector<float> mlp_input;  // [T, 2F] or [T, F]
  std::vector<float> mlp_inner;  // [T, F]
  RopeTable rope;
  RopeTable local_rope;
  AttentionScratch attention;
};

class Transformer final : public Model {
 public:
  Transformer(std::shared_ptr<const ModelSource> source, ModelConfig config, ModelWeights weights,
              ThreadPool& pool);

  [[nodiscard]] const ModelConfig& config() const noexcept override { return config_; }
  [[nodiscard]] const std::vector<std::string>& unused_tensors() const noexcept override {
    return weights_.unused;
  }
  [[nodiscard]] std::unique_ptr<KvCache> make_cache(std::size_t capacity) const override {
    return make_f32_cache(kv_shape(capacity));
  }
  Result<void> forward(std::span<const TokenId> tokens, KvCache& cache, std::size_t n_logits,
                       float* logits) override;
  void set_tap(ActivationTap* tap) noexcept override { tap_ = tap; }

 private:
  [[nodiscard]] KvShape kv_shape(std::size_t capacity) const noexcept {
    return {config_.n_layers, config_.n_kv_heads, config_.head_width, capacity};
  }
  [[nodiscard]] Result<void> check_request(std::span<const TokenId> tokens, const KvCache& cache,
                                           std::size_t n_logits) const;
  void prepare(std::size_t n_tokens, const KvCache& cache);
  void embed(std::span<const TokenId> tokens, std::size_t first_position);
  void attention_block(std::size_t layer, std::size_t n_tokens, KvCache& cache);
  void mlp_block(const LayerWeights& layer, std::size_t n_tokens);
  void add_to_residual(std::size_t n_tokens);
  void project(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
               std::size_t y_stride);
  void show_head_inputs(std::size_t n_tokens);
  void head(std::size_t first_token, std::size_t n_tokens, float* logits);

  std::shared_ptr<const ModelSource> source_;  // keeps the mapping alive
  ModelConfig config_;
  ModelWeights weights_;
  RopeFrequencies frequencies_;
  RopeFrequencies long_frequencies_;  // longrope beyond the original context
  RopeFrequencies local_frequencies_;
  ThreadPool& pool_;
  Activations buffers_;
  ActivationTap* tap_ = nullptr;
};

Transformer::Transformer(std::shared_ptr<const ModelSource> source, ModelConfig config, ModelWeights weights,
                         ThreadPool& pool)
    : source_(std::move(source)), config_(std::move(config)), weights_(std::move(weights)), pool_(pool) {
  const std::size_t width = config_.rope_width;
  frequencies_ = rope_frequencies(config_.rope, width, weights_.rope_factors);
  long_frequencies_ = rope_frequencies(config_.rope, width, weights_.rope_long_factors);
  const bool own_base = config_.local_rope.base != config_.rope.base;
  local_frequencies_ = rope_frequencies(config_.local_rope, width,
                                        own_base ? std::span<const float>{} : weights_.rope_factors);
}

Result<void> Transformer::check_request(std::span<const TokenId> tokens, const KvCache& cache,
                                        std::size_t n_logits) const {
  KERF_CHECK(cache.shape() == kv_shape(cache.capacity()) && n_logits <= tokens.size());
  for (const TokenId id : tokens)
    if (id < 0 || static_cast<std::size_t>(id) >= config_.n_vocabulary)
      return fail(ErrorKind::usage, "",
                  fmt::format("token id {} is not below the vocabulary's {}", id, config_.n_vocabulary));
  if (config_.learned_positions && cache.length() + tokens.size() > config_.context_length)
    return fail(ErrorKind::usage, "",
                fmt::format("{} tokens, but the model has learned {} positions",
                            cache.length() + tokens.size(), config_.context_length));
  return {};
}

/// Buffers for n tokens behind the cache's last, and the angles of their positions.
void Transformer::prepare(std::size_t n_tokens, const KvCache& cache) {
  const auto grow = [n_tokens](std::vector<float>& buffer, std::size_t width) {
    if (buffer.size() < n_tokens * width) buffer.resize(n_tokens * width);
  };
  Activations& a = buffers_;
  grow(a.residual, config_.width);
  grow(a.normed, config_.width);
  grow(a.qkv, config_.q_width() + 2 * config_.kv_width());
  grow(a.attended, config_.q_width());
  grow(a.mlp_input, config_.mlp == MlpKind::plain ? config_.ffn_width : 2 * config_.ffn_width);
  grow(a.mlp_inner, config_.ffn_width);
  if (config_.rope_pairs == RopePairs::none) return;
  const bool is_long = !weights_.rope_long_factors.empty() && cache.capacity() > config_.original_context;
  fill_rope_table(is_long ? long_frequencies_ : frequencies_, cache.length(), n_tokens, a.rope);
  if (config_.sliding_window > 0) fill_rope_table(local_frequencies_, cache.length(), n_tokens, a.local_rope);
}

void Transformer::embed(std::span<const TokenId> tokens, std::size_t first_position) {
  const std::size_t width = config_.width;
  const kernels::KernelTable& table = kernels::active_table();
  float* x = buffers_.residual.data();
  gather_rows(weights_.embedding.weight, tokens, x, pool_);
  if (config_.embedding_scale != 1.0F) table.scale_f32(config_.embedding_scale, x, tokens.size() * width);
  if (config_.learned_positions)
    table.axpy_f32(1.0F, weights_.positions.data() + first_position * width, x, tokens.size() * width);
}

/// residual += normed
void Transformer::add_to_residual(std::size_t n_tokens) {
  const std::size_t width = config_.width;
  for_rows(pool_, n_tokens, width, [&](std::size_t t) {
    kernels::active_table().axpy_f32(1.0F, buffers_.normed.data() + t * width,
                                     buffers_.residual.data() + t * width, width);
  });
}

/// linear_stack() under the eyes of the tap.
void Transformer::project(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
                          std::size_t y_stride) {
  if (tap_ != nullptr) tap_->input(layers, x, n_tokens);
  linear_stack(layers, x, n_tokens, y, y_stride, pool_);
}

void Transformer::attention_block(std::size_t index, std::size_t n_tokens, KvCache& cache) {
  const LayerWeights& layer = weights_.layers[index];
  Activations& a = buffers_;
  const bool local = config_.layer_is_local[index];
  const std::size_t heads = config_.n_heads, kv_heads = config_.n_kv_heads, width = config_.head_width;
  const std::size_t stride = config_.q_width() + 2 * config_.kv_width();
  float* q = a.qkv.data();
  float* k = q + config_.q_width();
  float* v = k + config_.kv_width();

  normalize_rows(layer.attention_norm, a.residual.data(), n_tokens, a.normed.data(), pool_);
  project(layer.qkv, a.normed.data(), n_tokens, a.qkv.data(), stride);
  if (layer.q_norm) normalize_heads(*layer.q_norm, q, n_tokens, heads, stride, pool_);
  if (layer.k_norm) normalize_heads(*layer.k_norm, k, n_tokens, kv_heads, stride, pool_);
  if (config_.rope_pairs != RopePairs::none) {
    const RopeTable& table = local ? a.local_rope : a.rope;
    rope(table, config_.rope_pairs, q, n_tokens, heads, width, stride, pool_);
    rope(table, config_.rope_pairs, k, n_tokens, kv_heads, width, stride, pool_);
  }
  cache.store(index, k, v, stride, n_tokens, pool_);
  const AttentionShape shape{.n_heads = heads,
                             .n_kv_heads = kv_heads,
                             .head_width = width,
                             .scale = config_.attention_scale,
                             .window = local ? config_.sliding_window : 0};
  attention(shape, cache, index, q, stride, n_tokens, a.attended.data(), a.attention, pool_);
  project({&layer.attention_output, 1}, a.attended.data(), n_tokens, a.normed.data(), config_.width);
  if (layer.attention_post_norm)
    normalize_rows(*layer.attention_post_norm, a.normed.data(), n_tokens, a.normed.data(), pool_);
  add_to_residual(n_tokens);
}

void Transformer::mlp_block(const LayerWeights& layer, std::size_t n_tokens) {
  Activations& a = buffers_;
  const std::size_t width = config_.ffn_width;
  const bool gated = config_.mlp != MlpKind::plain;

  normalize_rows(layer.mlp_norm, a.residual.data(), n_tokens, a.normed.data(), pool_);
  project(layer.mlp_input, a.normed.data(), n_tokens, a.mlp_input.data(), gated ? 2 * width : width);
  if (gated)
    gated_activation(config_.activation, a.mlp_input.data(), n_tokens, width, a.mlp_inner.data(), pool_);
  else
    activation(config_.activation, a.mlp_input.data(), n_tokens, width, a.mlp_inner.data(), pool_);
  project({&layer.mlp_output, 1}, a.mlp_inner.data(), n_tokens, a.normed.data(), config_.width);
  if (layer.mlp_post_norm)
    normalize_rows(*layer.mlp_post_norm, a.normed.data(), n_tokens, a.normed.data(), pool_);
  add_to_residual(n_tokens);
}

void Transformer::show_head_inputs(std::size_t n_tokens) {
  normalize_rows(weights_.output_norm, buffers_.residual.data(), n_tokens, buffers_.normed.data(), pool_);
  tap_->input({&weights_.output, 1}, buffers_.normed.data(), n_tokens);
}

/// Logits of n_tokens of the batch from first_token on, to logits [n_tokens, V].
void Transformer::head(std::size_t first_token, std::size_t n_tokens, float* logits) {
  const float* x = buffers_.residual.data() + first_token * config_.width;
  normalize_rows(weights_.output_norm, x, n_tokens, buffers_.normed.data(), pool_);
  linear(weights_.output, buffers_.normed.data(), n_tokens, logits, config_.n_vocabulary, pool_);
  if (config_.final_softcap > 0)
    for_rows(pool_, n_tokens, config_.n_vocabulary, [&](std::size_t t) {
      softcap(config_.final_softcap, config_.n_vocabulary, logits + t * config_.n_vocabulary);
    });
}

Result<void> Transformer::forward(std::span<const TokenId> tokens, KvCache& cache, std::size_t n_logits,
                                  float* logits) {
  KERF_CHECK_OK(check_request(tokens, cache, n_logits));
  KERF_CHECK_OK(cache.reserve(tokens.size()));
  const std::size_t first_wanted = tokens.size() - n_logits;
  for (std::size_t begin = 0; begin < tokens.size(); begin += kBatch) {
    const std::size_t n = std::min(kBatch, tokens.size() - begin);
    prepare(n, cache);
    embed(tokens.subspan(begin, n), cache.length());
    for (std::size_t layer = 0; layer < config_.n_layers; ++layer) {
      attention_block(layer, n, cache);
      mlp_block(weights_.layers[layer], n);
    }
    cache.advance(n);
    if (tap_ != nullptr) show_head_inputs(n);
    const std::size_t from = std::max(begin, first_wanted);
    if (from < begin + n)
      head(from - begin, begin + n - from, logits + (from - first_wanted) * config_.n_vocabulary);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Model>> Model::load(std::shared_ptr<const ModelSource> source, ThreadPool& pool) {
  KERF_TRY(ModelConfig config, config_from_metadata(source->metadata()));
  KERF_TRY(ModelWeights weights, load_weights(*source, config));
  return std::make_unique<Transformer>(std::move(source), std::move(config), std::move(weights), pool);
}

}  // namespace kerf

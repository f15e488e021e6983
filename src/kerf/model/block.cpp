#include "kerf/model/block.h"

#include <cmath>

#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/mlp.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

void softcap(float cap, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = cap * std::tanh(y[i] / cap);
}

void grow(std::vector<float>& buffer, std::size_t n) {
  if (buffer.size() < n) buffer.resize(n);
}

}  // namespace

BlockWalk::BlockWalk(const ModelConfig& config, const ModelEnds& ends, ThreadPool& pool)
    : config_(config), pool_(pool), has_long_factors_(!ends.rope_long_factors.empty()) {
  const std::size_t width = config.rope_width;
  frequencies_ = rope_frequencies(config.rope, width, ends.rope_factors);
  long_frequencies_ = rope_frequencies(config.rope, width, ends.rope_long_factors);
  const bool own_base = config.local_rope.base != config.rope.base;
  local_frequencies_ = rope_frequencies(config.local_rope, width,
                                        own_base ? std::span<const float>{} : std::span(ends.rope_factors));
}

void BlockWalk::prepare(std::size_t n_tokens, std::size_t first_position, std::size_t capacity) {
  n_tokens_ = n_tokens;
  grow(normed_, n_tokens * config_.width);
  grow(qkv_, n_tokens * (config_.q_width() + 2 * config_.kv_width()));
  grow(attended_, n_tokens * config_.q_width());
  const std::size_t n_slots = config_.has_experts() ? n_tokens * config_.n_experts_used : n_tokens;
  grow(mlp_input_, n_slots * config_.ffn_width * (config_.mlp == MlpKind::plain ? 1 : 2));
  grow(mlp_inner_, n_slots * config_.ffn_width);
  if (config_.has_experts()) {
    grow(router_logits_, n_tokens * config_.n_experts);
    grow(expert_rows_, n_slots * config_.width);
    grow(expert_outputs_, n_slots * config_.width);
  }
  grow(sum_, n_tokens * config_.width);
  if (config_.rope_pairs == RopePairs::none) return;
  const bool is_long = has_long_factors_ && capacity > config_.original_context;
  fill_rope_table(is_long ? long_frequencies_ : frequencies_, first_position, n_tokens, rope_);
  if (config_.sliding_window > 0) fill_rope_table(local_frequencies_, first_position, n_tokens, local_rope_);
}

const float* BlockWalk::attention_input(const LayerWeights& layer, const float* residual) {
  normalize_rows(layer.attention_norm, residual, n_tokens_, normed_.data(), pool_);
  return normed_.data();
}

const float* BlockWalk::projected(const LayerWeights& layer, const float* x) {
  multiply(layer.qkv, x, qkv_.data(), config_.q_width() + 2 * config_.kv_width());
  return qkv_.data();
}

AttentionShape BlockWalk::attention_shape(bool is_local) const noexcept {
  return {.n_heads = config_.n_heads,
          .n_kv_heads = config_.n_kv_heads,
          .head_width = config_.head_width,
          .scale = config_.attention_scale,
          .window = is_local ? config_.sliding_window : 0};
}

const float* BlockWalk::attend(const LayerWeights& layer, bool is_local, KvCache& cache,
                               std::size_t cache_layer, float* log_sums) {
  const std::size_t heads = config_.n_heads, kv_heads = config_.n_kv_heads, width = config_.head_width;
  const std::size_t stride = config_.q_width() + 2 * config_.kv_width();
  float* q = qkv_.data();
  float* k = q + config_.q_width();
  float* v = k + config_.kv_width();

  if (layer.q_norm) normalize_heads(*layer.q_norm, q, n_tokens_, heads, stride, pool_);
  if (layer.k_norm) normalize_heads(*layer.k_norm, k, n_tokens_, kv_heads, stride, pool_);
  if (config_.rope_pairs != RopePairs::none) {
    const RopeTable& table = rope_table(is_local);
    rope(table, config_.rope_pairs, q, n_tokens_, heads, width, stride, pool_);
    rope(table, config_.rope_pairs, k, n_tokens_, kv_heads, width, stride, pool_);
  }
  cache.store(cache_layer, k, v, stride, n_tokens_, pool_);
  attention(attention_shape(is_local), cache, cache_layer, q, stride, n_tokens_, attended_.data(), attention_,
            pool_, log_sums);
  return attended_.data();
}

const float* BlockWalk::attended(const LayerWeights& layer, bool is_local, const float* x, KvCache& cache,
                                 std::size_t cache_layer) {
  projected(layer, x);
  return attend(layer, is_local, cache, cache_layer);
}

void BlockWalk::add_attention(const LayerWeights& layer, const float* x, float* residual) {
  add(layer.attention_output, layer.attention_post_norm, x, residual);
}

const float* BlockWalk::mlp_input(const LayerWeights& layer, const float* residual) {
  normalize_rows(layer.mlp_norm, residual, n_tokens_, normed_.data(), pool_);
  return normed_.data();
}

const float* BlockWalk::expert_input(const LayerWeights& layer, const float* x) {
  const std::size_t n_experts = config_.n_experts;
  linear(layer.router, x, n_tokens_, router_logits_.data(), n_experts, pool_);
  routing_ = route(std::span(router_logits_).first(n_tokens_ * n_experts), n_tokens_, config_.n_experts_used,
                   config_.normalize_expert_weights);
  gather_slots(routing_, x, config_.width, expert_rows_.data(), pool_);
  return expert_rows_.data();
}

const float* BlockWalk::mlp_inner(const LayerWeights& layer, const float* x) {
  if (!layer.experts.empty()) {
    experts_inner(config_, layer, routing_, x, mlp_input_.data(), mlp_inner_.data(), pool_);
    return mlp_inner_.data();
  }
  const std::size_t width = config_.ffn_width;
  const bool gated = config_.mlp != MlpKind::plain;
  multiply(layer.mlp_input, x, mlp_input_.data(), gated ? 2 * width : width);
  if (gated)
    gated_activation(config_.activation, mlp_input_.data(), n_tokens_, width, mlp_inner_.data(), pool_);
  else
    activation(config_.activation, mlp_input_.data(), n_tokens_, width, mlp_inner_.data(), pool_);
  return mlp_inner_.data();
}

void BlockWalk::add_mlp(const LayerWeights& layer, const float* x, float* residual) {
  if (layer.experts.empty()) return add(layer.mlp_output, layer.mlp_post_norm, x, residual);
  experts_output(config_, layer, routing_, x, n_tokens_, expert_outputs_.data(), sum_.data(), pool_);
  add_sum(layer.mlp_post_norm, residual);
}

void BlockWalk::multiply(std::span<const Linear> layers, const float* x, float* y, std::size_t y_stride) {
  if (engine_ != nullptr)
    engine_->multiply(layers, x, n_tokens_, y, y_stride, pool_);
  else
    linear_stack(layers, x, n_tokens_, y, y_stride, pool_);
}

void BlockWalk::add(const Linear& layer, const std::optional<Norm>& post_norm, const float* x,
                    float* residual) {
  multiply({&layer, 1}, x, sum_.data(), config_.width);
  add_sum(post_norm, residual);
}

void BlockWalk::add_sum(const std::optional<Norm>& post_norm, float* residual) {
  const std::size_t width = config_.width;
  const float* sum = sum_.data();
  if (post_norm) {
    grow(post_normed_, n_tokens_ * width);
    normalize_rows(*post_norm, sum, n_tokens_, post_normed_.data(), pool_);
    sum = post_normed_.data();
  }
  for_rows(pool_, n_tokens_, width, [&](std::size_t t) {
    kernels::active_table().axpy_f32(1.0F, sum + t * width, residual + t * width, width);
  });
}

void embed_tokens(const ModelConfig& config, const ModelEnds& ends, std::span<const std::int32_t> tokens,
                  std::size_t first_position, float* residual, ThreadPool& pool) {
  const std::size_t width = config.width;
  const kernels::KernelTable& table = kernels::active_table();
  gather_rows(ends.embedding.weight, tokens, residual, pool);
  if (config.embedding_scale != 1.0F)
    table.scale_f32(config.embedding_scale, residual, tokens.size() * width);
  if (config.learned_positions)
    table.axpy_f32(1.0F, ends.positions.data() + first_position * width, residual, tokens.size() * width);
}

void head_input(const ModelEnds& ends, const float* residual, std::size_t n_tokens, float* normed,
                ThreadPool& pool) {
  normalize_rows(ends.output_norm, residual, n_tokens, normed, pool);
}

void head_logits(const ModelConfig& config, const ModelEnds& ends, const float* normed, std::size_t n_tokens,
                 float* logits, ThreadPool& pool) {
  const std::size_t n = config.n_vocabulary;
  linear(ends.output, normed, n_tokens, logits, n, pool);
  if (config.final_softcap > 0)
    for_rows(pool, n_tokens, n, [&](std::size_t t) { softcap(config.final_softcap, n, logits + t * n); });
}

}  // namespace kerf

#include "kerf/model/block_gradient.h"

#include <fmt/format.h>

#include <algorithm>

#include "kerf/kernels/kernel.h"
#include "kerf/model/mlp.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

void keep(const float* x, std::size_t n, std::vector<float>& copy) {
  copy.assign(x, x + n);
}

}  // namespace

BlockGradient::BlockGradient(const ModelConfig& config, const ModelEnds& ends, ThreadPool& pool)
    : config_(config), pool_(pool), walk_(config, ends, pool) {}

Result<void> check_differentiable(const ModelConfig& config) {
  if (!config.has_experts()) return {};
  return fail(ErrorKind::unsupported, "",
              fmt::format("gradients of a {} model with {} experts: guided methods, tuning and distillation "
                          "need a dense one; kerf calibrate and quantize --imatrix serve experts",
                          config.architecture, config.n_experts));
}

Result<void> BlockGradient::prepare(std::size_t n_tokens) {
  KERF_CHECK_OK(check_differentiable(config_));
  walk_.prepare(n_tokens, 0, n_tokens);
  if (config_.rope_pairs != RopePairs::none) {
    rope_back_ = turned_back(walk_.rope_table(false));
    local_rope_back_ = turned_back(walk_.rope_table(true));
  }
  if (cache_ == nullptr || cache_->capacity() < n_tokens)
    cache_ = make_f32_cache({1, config_.n_kv_heads, config_.head_width, n_tokens});
  cache_->truncate(0);
  KERF_CHECK_OK(cache_->reserve(n_tokens));
  n_tokens_ = n_tokens;
  log_sums_.resize(n_tokens * config_.n_heads);
  d_sum_.resize(n_tokens * config_.width);
  d_inner_.resize(n_tokens * std::max(config_.ffn_width, config_.q_width()));
  d_projected_.resize(n_tokens * std::max(config_.ffn_width * (config_.mlp == MlpKind::plain ? 1 : 2),
                                          config_.q_width() + 2 * config_.kv_width()));
  return {};
}

void BlockGradient::forward(const LayerWeights& layer, bool is_local, float* residual) {
  const std::size_t n = n_tokens_ * config_.width;
  keep(residual, n, input_);
  keep(walk_.attention_input(layer, residual), n, attention_input_);
  qkv_ = walk_.projected(layer, attention_input_.data());
  if (config_.qk_norm) keep(qkv_, n_tokens_ * (config_.q_width() + 2 * config_.kv_width()), raw_qkv_);
  attended_ = walk_.attend(layer, is_local, *cache_, 0, log_sums_.data());
  walk_.add_attention(layer, attended_, residual);
  if (layer.attention_post_norm) keep(walk_.added(), n, attention_sum_);
  keep(residual, n, middle_);
  mlp_normed_ = walk_.mlp_input(layer, residual);
  mlp_inner_ = walk_.mlp_inner(layer, mlp_normed_);
  walk_.add_mlp(layer, mlp_inner_, residual);
}

void BlockGradient::show(const Linear& layer, const float* x, const float* dy, std::size_t stride,
                         GradientTap* tap) const {
  if (tap != nullptr) tap->linear({layer, x, dy, stride, 0, n_tokens_});
}

void BlockGradient::show(const std::vector<Linear>& layers, const float* x, const float* dy,
                         std::size_t stride, GradientTap* tap) const {
  for (const Linear& layer : layers) {
    show(layer, x, dy, stride, tap);
    dy += layer.n_rows();
  }
}

/// gradient at norm(x) → gradient at x.
void BlockGradient::through_norm(const Norm& norm, const float* x, float* gradient, GradientTap* tap) {
  if (tap != nullptr) tap->norm({norm, x, gradient, config_.width, 0, n_tokens_, 1});
  normalize_backward(norm, x, gradient, n_tokens_, 1, config_.width, pool_);
}

/// residual += norm(sum), or sum alone: the gradient at `sum`.
const float* BlockGradient::through_post_norm(const std::optional<Norm>& norm, const float* sum,
                                              const float* gradient, GradientTap* tap) {
  if (!norm) return gradient;
  keep(gradient, n_tokens_ * config_.width, d_sum_);
  through_norm(*norm, sum, d_sum_.data(), tap);
  return d_sum_.data();
}

void BlockGradient::backward(const LayerWeights& layer, bool is_local, float* gradient, GradientTap* tap) {
  mlp_backward(layer, gradient, tap);
  attention_part_backward(layer, is_local, gradient, tap);
}

void BlockGradient::mlp_backward(const LayerWeights& layer, float* gradient, GradientTap* tap) {
  const std::size_t width = config_.width, ffn = config_.ffn_width;
  const float* d_sum = through_post_norm(layer.mlp_post_norm, walk_.added(), gradient, tap);
  linear_stack_backward({&layer.mlp_output, 1}, d_sum, width, n_tokens_, d_inner_.data(), pool_);
  show(layer.mlp_output, mlp_inner_, d_sum, width, tap);

  const bool gated = config_.mlp != MlpKind::plain;
  const auto way_back = gated ? gated_activation_backward : activation_backward;
  way_back(config_.activation, walk_.mlp_projected(), d_inner_.data(), n_tokens_, ffn, d_projected_.data(),
           pool_);
  const std::size_t stride = gated ? 2 * ffn : ffn;
  linear_stack_backward(layer.mlp_input, d_projected_.data(), stride, n_tokens_, d_sum_.data(), pool_);
  show(layer.mlp_input, mlp_normed_, d_projected_.data(), stride, tap);
  through_norm(layer.mlp_norm, middle_.data(), d_sum_.data(), tap);
  kernels::active_table().axpy_f32(1.0F, d_sum_.data(), gradient, n_tokens_ * width);
}

void BlockGradient::attention_part_backward(const LayerWeights& layer, bool is_local, float* gradient,
                                            GradientTap* tap) {
  const std::size_t width = config_.width, q_width = config_.q_width(), kv_width = config_.kv_width();
  const std::size_t stride = q_width + 2 * kv_width;
  const float* d_sum = through_post_norm(layer.attention_post_norm, attention_sum_.data(), gradient, tap);
  linear_stack_backward({&layer.attention_output, 1}, d_sum, width, n_tokens_, d_inner_.data(), pool_);
  show(layer.attention_output, attended_, d_sum, width, tap);

  const AttentionPass pass{.q = qkv_,
                           .k = qkv_ + q_width,
                           .v = qkv_ + q_width + kv_width,
                           .stride = stride,
                           .out = attended_,
                           .log_sums = log_sums_.data(),
                           .n_tokens = n_tokens_};
  float* dq = d_projected_.data();
  attention_backward(walk_.attention_shape(is_local), pass, d_inner_.data(), dq, dq + q_width,
                     dq + q_width + kv_width, stride, attention_, pool_);
  turn_back(layer, is_local, tap);
  linear_stack_backward(layer.qkv, dq, stride, n_tokens_, d_sum_.data(), pool_);
  show(layer.qkv, attention_input_.data(), dq, stride, tap);
  through_norm(layer.attention_norm, input_.data(), d_sum_.data(), tap);
  kernels::active_table().axpy_f32(1.0F, d_sum_.data(), gradient, n_tokens_ * width);
}

/// Queries and keys back through RoPE and their norms.
void BlockGradient::turn_back(const LayerWeights& layer, bool is_local, GradientTap* tap) {
  const std::size_t stride = config_.q_width() + 2 * config_.kv_width();
  const auto back = [&](const std::optional<Norm>& norm, std::size_t n_heads, std::size_t first) {
    float* d = d_projected_.data() + first;
    if (config_.rope_pairs != RopePairs::none)
      rope(is_local ? local_rope_back_ : rope_back_, config_.rope_pairs, d, n_tokens_, n_heads,
           config_.head_width, stride, pool_);
    if (!norm) return;
    const float* x = raw_qkv_.data() + first;
    if (tap != nullptr) tap->norm({*norm, x, d, stride, 0, n_tokens_, n_heads});
    normalize_backward(*norm, x, d, n_tokens_, n_heads, stride, pool_);
  };
  back(layer.q_norm, config_.n_heads, 0);
  back(layer.k_norm, config_.n_kv_heads, config_.q_width());
}

}  // namespace kerf

#include "kerf/model/model_gradient.h"

#include <fmt/format.h>

#include <algorithm>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

// Logits that exist at a time, in floats: 64 MiB.
constexpr std::size_t kLogits = 16U << 20;

/// y = cap·tanh(z / cap), so dz = dy·(1 − (y / cap)²).
KERF_CLONES void softcap_backward(const float* capped, float cap, std::size_t n, float* gradient) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const float tanh = capped[i] / cap;
    gradient[i] *= 1.0F - tanh * tanh;
  }
}

}  // namespace

void HeadGradient::for_portions(const float* residual, std::size_t n_tokens,
                                FunctionRef<void(const Portion&)> body) {
  const std::size_t most = std::clamp<std::size_t>(kLogits / config_.n_vocabulary, 16, 512);
  const std::size_t portion = std::min(most, n_tokens);
  normed_.resize(portion * config_.width);
  logits_.resize(portion * config_.n_vocabulary);
  for (std::size_t first = 0; first < n_tokens; first += portion) {
    const Portion part{first, std::min(portion, n_tokens - first), residual + first * config_.width};
    head_input(ends_, part.residual, part.n, normed_.data(), pool_);
    head_logits(config_, ends_, normed_.data(), part.n, logits_.data(), pool_);
    body(part);
  }
}

void HeadGradient::forward(const float* residual, std::size_t n_tokens, LogitLoss loss) {
  for_portions(residual, n_tokens,
               [&](const Portion& portion) { loss(portion.first, portion.n, logits_.data()); });
}

void HeadGradient::backward(const float* residual, std::size_t n_tokens, LogitLoss loss, float* gradient,
                            GradientTap* tap) {
  for_portions(residual, n_tokens, [&](const Portion& portion) {
    portion_backward(portion, loss, gradient + portion.first * config_.width, tap);
  });
}

void HeadGradient::portion_backward(const Portion& portion, LogitLoss loss, float* gradient,
                                    GradientTap* tap) {
  const std::size_t width = config_.width, n_vocabulary = config_.n_vocabulary;
  const bool is_capped = config_.final_softcap > 0;
  float* const logits = logits_.data();
  if (is_capped) capped_.assign(logits, logits + portion.n * n_vocabulary);
  loss(portion.first, portion.n, logits);
  if (is_capped)
    for_rows(pool_, portion.n, n_vocabulary, [&](std::size_t t) {
      softcap_backward(capped_.data() + t * n_vocabulary, config_.final_softcap, n_vocabulary,
                       logits + t * n_vocabulary);
    });
  linear_stack_backward({&ends_.output, 1}, logits, n_vocabulary, portion.n, gradient, pool_);
  if (tap != nullptr)
    tap->linear({ends_.output, normed_.data(), logits, n_vocabulary, portion.first, portion.n});
  if (tap != nullptr)
    tap->norm({ends_.output_norm, portion.residual, gradient, width, portion.first, portion.n, 1});
  normalize_backward(ends_.output_norm, portion.residual, gradient, portion.n, 1, width, pool_);
}

ModelGradient::ModelGradient(const ModelConfig& config, const ModelWeights& weights, ThreadPool& pool)
    : config_(config),
      weights_(weights),
      pool_(pool),
      block_(config, weights.ends, pool),
      head_(config, weights.ends, pool) {}

Result<void> ModelGradient::prepare(std::span<const std::int32_t> tokens) {
  for (const std::int32_t id : tokens)
    if (id < 0 || static_cast<std::size_t>(id) >= config_.n_vocabulary)
      return fail(ErrorKind::usage, "",
                  fmt::format("token id {} is not below the vocabulary's {}", id, config_.n_vocabulary));
  if (config_.learned_positions && tokens.size() > config_.context_length)
    return fail(ErrorKind::usage, "",
                fmt::format("{} tokens, but the model has learned {} positions", tokens.size(),
                            config_.context_length));
  n_tokens_ = tokens.size();
  const std::size_t n = n_tokens_ * config_.width;
  working_.resize(n);
  return block_.prepare(n_tokens_);
}

Result<void> ModelGradient::run(std::span<const std::int32_t> tokens, LogitLoss loss, GradientTap* tap) {
  KERF_CHECK_OK(prepare(tokens));
  const std::size_t n = n_tokens_ * config_.width, n_layers = config_.n_layers;
  residuals_.resize((n_layers + 1) * n);
  gradient_.resize(n);
  embed_tokens(config_, weights_.ends, tokens, 0, residual(0), pool_);
  for (std::size_t layer = 0; layer < n_layers; ++layer) {
    std::copy_n(residual(layer), n, residual(layer + 1));
    block_.forward(weights_.layers[layer], config_.layer_is_local[layer], residual(layer + 1));
  }
  head_.backward(residual(n_layers), n_tokens_, loss, gradient_.data(), tap);
  for (std::size_t layer = n_layers; layer-- > 0;) {
    const bool is_local = config_.layer_is_local[layer];
    // The last layer ran last: it still holds what its way back needs.
    if (layer + 1 < n_layers) {
      std::copy_n(residual(layer), n, working_.data());
      block_.forward(weights_.layers[layer], is_local, working_.data());
    }
    block_.backward(weights_.layers[layer], is_local, gradient_.data(), tap);
  }
  if (config_.embedding_scale != 1.0F)
    kernels::active_table().scale_f32(config_.embedding_scale, gradient_.data(), n);
  if (tap != nullptr) tap->embedding(weights_.ends.embedding, tokens, gradient_.data());
  return {};
}

Result<const float*> ModelGradient::behind_layers(std::span<const std::int32_t> tokens) {
  KERF_CHECK_OK(prepare(tokens));
  embed_tokens(config_, weights_.ends, tokens, 0, working_.data(), pool_);
  for (std::size_t layer = 0; layer < config_.n_layers; ++layer)
    block_.forward(weights_.layers[layer], config_.layer_is_local[layer], working_.data());
  return working_.data();
}

Result<void> ModelGradient::evaluate(std::span<const std::int32_t> tokens, LogitLoss loss) {
  KERF_TRY(const float* residual, behind_layers(tokens));
  head_.forward(residual, n_tokens_, loss);
  return {};
}

}  // namespace kerf

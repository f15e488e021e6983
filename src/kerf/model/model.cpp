// The block walk: what a transformer does with a batch of tokens, from ids to logits.
#include "kerf/model/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "kerf/base/check.h"
#include "kerf/model/block.h"
#include "kerf/model/weights.h"

namespace kerf {
namespace {

// Tokens that go through a layer together: enough that decoding a weight is small beside its products.
constexpr std::size_t kBatch = 512;

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
  void set_engine(LinearEngine* engine) noexcept override { walk_.set_engine(engine); }

 private:
  [[nodiscard]] KvShape kv_shape(std::size_t capacity) const noexcept {
    return {config_.n_layers, config_.n_kv_heads, config_.head_width, capacity};
  }
  [[nodiscard]] Result<void> check_request(std::span<const TokenId> tokens, const KvCache& cache,
                                           std::size_t n_logits) const;
  void prepare(std::size_t n_tokens, const KvCache& cache);
  void run_layer(std::size_t index, std::size_t n_tokens, KvCache& cache);
  void run_experts(const LayerWeights& layer, const float* x, std::size_t n_tokens);
  void show(std::span<const Linear> layers, const float* x, std::size_t n_tokens) const;
  void head(std::size_t first_token, std::size_t n_tokens, float* logits);

  std::shared_ptr<const ModelSource> source_;  // keeps the mapping alive
  ModelConfig config_;
  ModelWeights weights_;
  ThreadPool& pool_;
  BlockWalk walk_;
  std::vector<float> residual_;  // [T, C]
  std::vector<float> normed_;    // [T, C]: what flows into the output matrix
  ActivationTap* tap_ = nullptr;
};

Transformer::Transformer(std::shared_ptr<const ModelSource> source, ModelConfig config, ModelWeights weights,
                         ThreadPool& pool)
    : source_(std::move(source)),
      config_(std::move(config)),
      weights_(std::move(weights)),
      pool_(pool),
      walk_(config_, weights_.ends, pool) {}

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

void Transformer::prepare(std::size_t n_tokens, const KvCache& cache) {
  for (std::vector<float>* buffer : {&residual_, &normed_})
    if (buffer->size() < n_tokens * config_.width) buffer->resize(n_tokens * config_.width);
  walk_.prepare(n_tokens, cache.length(), cache.capacity());
}

void Transformer::show(std::span<const Linear> layers, const float* x, std::size_t n_tokens) const {
  if (tap_ != nullptr) tap_->input(layers, x, n_tokens);
}

void Transformer::run_layer(std::size_t index, std::size_t n_tokens, KvCache& cache) {
  const LayerWeights& layer = weights_.layers[index];
  const float* x = walk_.attention_input(layer, residual_.data());
  show(layer.qkv, x, n_tokens);
  x = walk_.attended(layer, config_.layer_is_local[index], x, cache, index);
  show({&layer.attention_output, 1}, x, n_tokens);
  walk_.add_attention(layer, x, residual_.data());
  x = walk_.mlp_input(layer, residual_.data());
  if (!layer.experts.empty()) return run_experts(layer, x, n_tokens);
  show(layer.mlp_input, x, n_tokens);
  x = walk_.mlp_inner(layer, x);
  show({&layer.mlp_output, 1}, x, n_tokens);
  walk_.add_mlp(layer, x, residual_.data());
}

/// The same second half of a layer for a mixture of experts; each is shown its own tokens.
void Transformer::run_experts(const LayerWeights& layer, const float* x, std::size_t n_tokens) {
  show({&layer.router, 1}, x, n_tokens);
  x = walk_.expert_input(layer, x);
  const Routing& routing = walk_.routing();
  const auto show_each = [&](std::size_t width, const auto& linears_of) {
    for (std::size_t e = 0; e < layer.experts.size(); ++e)
      show(linears_of(layer.experts[e]), x + routing.first_slot[e] * width, routing.n_tokens(e));
  };
  using Linears = std::span<const Linear>;
  show_each(config_.width, [](const ExpertWeights& expert) { return Linears(expert.mlp_input); });
  x = walk_.mlp_inner(layer, x);
  show_each(config_.ffn_width, [](const ExpertWeights& expert) { return Linears(&expert.mlp_output, 1); });
  walk_.add_mlp(layer, x, residual_.data());
}

/// Logits of n_tokens of the batch from first_token on, to logits [n_tokens, V].
void Transformer::head(std::size_t first_token, std::size_t n_tokens, float* logits) {
  head_input(weights_.ends, residual_.data() + first_token * config_.width, n_tokens, normed_.data(), pool_);
  head_logits(config_, weights_.ends, normed_.data(), n_tokens, logits, pool_);
}

Result<void> Transformer::forward(std::span<const TokenId> tokens, KvCache& cache, std::size_t n_logits,
                                  float* logits) {
  KERF_CHECK_OK(check_request(tokens, cache, n_logits));
  KERF_CHECK_OK(cache.reserve(tokens.size()));
  const std::size_t first_wanted = tokens.size() - n_logits;
  for (std::size_t begin = 0; begin < tokens.size(); begin += kBatch) {
    const std::size_t n = std::min(kBatch, tokens.size() - begin);
    prepare(n, cache);
    embed_tokens(config_, weights_.ends, tokens.subspan(begin, n), cache.length(), residual_.data(), pool_);
    for (std::size_t layer = 0; layer < config_.n_layers; ++layer) run_layer(layer, n, cache);
    cache.advance(n);
    if (tap_ != nullptr) {
      head_input(weights_.ends, residual_.data(), n, normed_.data(), pool_);
      show({&weights_.ends.output, 1}, normed_.data(), n);
    }
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

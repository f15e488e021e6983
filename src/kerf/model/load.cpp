// From a ModelSource to ModelWeights: names as llama.cpp's converter writes them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <unordered_set>

#include "kerf/model/weights.h"

namespace kerf {
namespace {

using Shape = std::vector<std::uint64_t>;

class Loader {
 public:
  Loader(const ModelSource& source, const ModelConfig& config) : source_(source), config_(config) {}

  [[nodiscard]] bool has(const std::string& name) const { return source_.find(name) != nullptr; }
  [[nodiscard]] tl::unexpected<Error> error(ErrorKind kind, const std::string& tensor,
                                            std::string what) const {
    return fail(kind, source_.path().string() + ": tensor " + tensor, std::move(what));
  }

  /// The named tensor; it must have this shape.
  Result<const SourceTensor*> tensor(const std::string& name, const Shape& shape);
  /// A vector, decoded and free of NaN and infinity.
  Result<std::vector<float>> vector(const std::string& name, std::size_t n);
  /// The same; empty if there is none.
  Result<std::vector<float>> vector_if_any(const std::string& name, std::size_t n);
  /// «<name>.weight» [R, K] and «<name>.bias» [R].
  Result<Linear> linear(const std::string& name, std::size_t n_rows, std::size_t n_cols, bool needs_bias);
  /// The E matrices [R, K] of «<name>.weight» [E, R, K].
  Result<std::vector<Linear>> stack(const std::string& name, std::size_t n_rows, std::size_t n_cols);
  /// «<name>.weight» and, for LayerNorm, «<name>.bias».
  Result<Norm> norm(const std::string& name, std::size_t n, NormKind kind);
  /// Names that nobody asked for.
  [[nodiscard]] std::vector<std::string> unused() const;

 private:
  Result<void> place(const SourceTensor& tensor, std::optional<Bytes> bytes, Linear& layer) const;

  const ModelSource& source_;
  const ModelConfig& config_;
  std::unordered_set<std::string> used_;
};

Result<const SourceTensor*> Loader::tensor(const std::string& name, const Shape& shape) {
  const SourceTensor* found = source_.find(name);
  if (found == nullptr)
    return error(ErrorKind::not_found, name,
                 fmt::format("missing; a {} model of this size has one of shape [{}]", config_.architecture,
                             fmt::join(shape, ", ")));
  if (found->shape != shape)
    return error(ErrorKind::input, name,
                 fmt::format("shape [{}], but the metadata ask for [{}]", fmt::join(found->shape, ", "),
                             fmt::join(shape, ", ")));
  used_.insert(name);
  return found;
}

Result<std::vector<float>> Loader::vector(const std::string& name, std::size_t n) {
  KERF_TRY(const SourceTensor* found, tensor(name, {n}));
  std::vector<float> values(n);
  KERF_CHECK_OK(source_.read_rows(*found, 0, 1, values.data()));
  for (std::size_t i = 0; i < n; ++i)
    if (!std::isfinite(values[i]))
      return error(ErrorKind::numeric, name, fmt::format("element {} is {}", i, values[i]));
  return values;
}

Result<std::vector<float>> Loader::vector_if_any(const std::string& name, std::size_t n) {
  if (!has(name)) return std::vector<float>();
  return vector(name, n);
}

/// `bytes` are those of layer.matrix in GGUF's order, if the source has them so.
Result<void> Loader::place(const SourceTensor& tensor, std::optional<Bytes> bytes, Linear& layer) const {
  const std::size_t n_rows = layer.weight.n_rows, n_cols = layer.weight.n_cols;
  if (bytes) {
    if (!tensor.format->fits(n_cols) || bytes->size() != tensor.format->row_bytes(n_cols) * n_rows)
      return error(ErrorKind::input, tensor.name,
                   fmt::format("{} bytes are not {} rows of {} in {}", bytes->size(), n_rows, n_cols,
                               tensor.format->name));
    layer.weight.format = tensor.format;
    layer.weight.bytes = bytes->data();
    return {};
  }
  layer.storage.resize(n_rows * n_cols);
  KERF_CHECK_OK(source_.read_rows(tensor, layer.matrix * n_rows, n_rows, layer.storage.data()));
  source_.release(tensor);
  layer.weight.format = &formats::f32;
  layer.weight.bytes = reinterpret_cast<const std::uint8_t*>(layer.storage.data());
  return {};
}

Result<Linear> Loader::linear(const std::string& name, std::size_t n_rows, std::size_t n_cols,
                              bool needs_bias) {
  Linear layer;
  layer.name = name + ".weight";
  KERF_TRY(const SourceTensor* weight, tensor(layer.name, {n_rows, n_cols}));
  layer.weight.n_rows = n_rows;
  layer.weight.n_cols = n_cols;
  KERF_CHECK_OK(place(*weight, source_.raw(*weight), layer));
  const std::string bias = name + ".bias";
  KERF_TRY(layer.bias, needs_bias ? vector(bias, n_rows) : vector_if_any(bias, n_rows));
  return layer;
}

Result<std::vector<Linear>> Loader::stack(const std::string& name, std::size_t n_rows, std::size_t n_cols) {
  KERF_TRY(const SourceTensor* weight, tensor(name + ".weight", {config_.n_experts, n_rows, n_cols}));
  std::vector<Linear> layers(config_.n_experts);
  for (std::size_t e = 0; e < layers.size(); ++e) {
    layers[e].name = weight->name;
    layers[e].is_expert = true;
    layers[e].matrix = e;
    layers[e].weight.n_rows = n_rows;
    layers[e].weight.n_cols = n_cols;
    KERF_CHECK_OK(place(*weight, source_.raw_matrix(*weight, e), layers[e]));
  }
  return layers;
}

Result<Norm> Loader::norm(const std::string& name, std::size_t n, NormKind kind) {
  Norm norm{.kind = kind, .epsilon = config_.norm_epsilon, .weight = {}, .bias = {}};
  KERF_TRY(norm.weight, vector(name + ".weight", n));
  if (kind == NormKind::layer) {
    KERF_TRY(norm.bias, vector(name + ".bias", n));
  }
  return norm;
}

std::vector<std::string> Loader::unused() const {
  std::vector<std::string> names;
  for (const SourceTensor& tensor : source_.tensors())
    if (used_.find(tensor.name) == used_.end()) names.push_back(tensor.name);
  return names;
}

Result<void> load_attention(Loader& loader, const ModelConfig& config, const std::string& prefix,
                            LayerWeights& layer) {
  const std::size_t q = config.q_width(), kv = config.kv_width();
  const bool separate = loader.has(prefix + "attn_q.weight") || loader.has(prefix + "attn_k.weight");
  if (loader.has(prefix + "attn_qkv.weight") || !separate) {
    KERF_TRY(Linear fused,
             loader.linear(prefix + "attn_qkv", q + 2 * kv, config.width, config.needs_qkv_bias));
    layer.qkv.push_back(std::move(fused));
  } else {
    const std::pair<const char*, std::size_t> parts[] = {{"attn_q", q}, {"attn_k", kv}, {"attn_v", kv}};
    for (const auto& [name, rows] : parts) {
      KERF_TRY(Linear part, loader.linear(prefix + name, rows, config.width, config.needs_qkv_bias));
      layer.qkv.push_back(std::move(part));
    }
  }
  if (config.qk_norm) {
    KERF_TRY(layer.q_norm, loader.norm(prefix + "attn_q_norm", config.head_width, NormKind::rms));
    KERF_TRY(layer.k_norm, loader.norm(prefix + "attn_k_norm", config.head_width, NormKind::rms));
  }
  KERF_TRY(layer.attention_output,
           loader.linear(prefix + "attn_output", config.width, q, config.needs_linear_bias));
  return {};
}

Result<void> load_mlp(Loader& loader, const ModelConfig& config, const std::string& prefix,
                      LayerWeights& layer) {
  const std::size_t up_rows = config.mlp == MlpKind::fused_gated ? 2 * config.ffn_width : config.ffn_width;
  if (config.mlp == MlpKind::gated) {
    KERF_TRY(Linear gate,
             loader.linear(prefix + "ffn_gate", config.ffn_width, config.width, config.needs_linear_bias));
    layer.mlp_input.push_back(std::move(gate));
  }
  KERF_TRY(Linear up, loader.linear(prefix + "ffn_up", up_rows, config.width, config.needs_linear_bias));
  layer.mlp_input.push_back(std::move(up));
  KERF_TRY(layer.mlp_output,
           loader.linear(prefix + "ffn_down", config.width, config.ffn_width, config.needs_linear_bias));
  return {};
}

Result<void> load_experts(Loader& loader, const ModelConfig& config, const std::string& prefix,
                          LayerWeights& layer) {
  const std::size_t width = config.width, ffn = config.ffn_width;
  KERF_TRY(layer.router, loader.linear(prefix + "ffn_gate_inp", config.n_experts, width, false));
  KERF_TRY(std::vector<Linear> gates, loader.stack(prefix + "ffn_gate_exps", ffn, width));
  KERF_TRY(std::vector<Linear> ups, loader.stack(prefix + "ffn_up_exps", ffn, width));
  KERF_TRY(std::vector<Linear> downs, loader.stack(prefix + "ffn_down_exps", width, ffn));
  layer.experts.resize(config.n_experts);
  for (std::size_t e = 0; e < config.n_experts; ++e) {
    layer.experts[e].mlp_input.push_back(std::move(gates[e]));
    layer.experts[e].mlp_input.push_back(std::move(ups[e]));
    layer.experts[e].mlp_output = std::move(downs[e]);
  }
  return {};
}

Result<LayerWeights> one_layer(Loader& loader, const ModelConfig& config, std::size_t index) {
  LayerWeights layer;
  const std::string prefix = fmt::format("blk.{}.", index);
  KERF_TRY(layer.attention_norm, loader.norm(prefix + "attn_norm", config.width, config.norm));
  KERF_CHECK_OK(load_attention(loader, config, prefix, layer));
  KERF_TRY(layer.mlp_norm, loader.norm(prefix + "ffn_norm", config.width, config.norm));
  KERF_CHECK_OK(config.has_experts() ? load_experts(loader, config, prefix, layer)
                                     : load_mlp(loader, config, prefix, layer));
  if (config.post_norms) {
    KERF_TRY(layer.attention_post_norm,
             loader.norm(prefix + "post_attention_norm", config.width, config.norm));
    KERF_TRY(layer.mlp_post_norm, loader.norm(prefix + "post_ffw_norm", config.width, config.norm));
  }
  return layer;
}

/// Embedding, output head and, for gpt2, positions.
Result<void> load_matrices(Loader& loader, const ModelSource& source, ModelConfig& config, ModelEnds& ends) {
  const SourceTensor* embedding = source.find("token_embd.weight");
  const std::size_t n_rows = embedding != nullptr && embedding->shape.size() == 2
                                 ? static_cast<std::size_t>(embedding->shape[0])
                                 : config.n_vocabulary;
  if (n_rows > 0 && n_rows < config.n_vocabulary)
    return loader.error(ErrorKind::input, "token_embd.weight",
                        fmt::format("{} rows for a vocabulary of {}", n_rows, config.n_vocabulary));
  config.n_vocabulary = n_rows;
  KERF_TRY(ends.embedding, loader.linear("token_embd", n_rows, config.width, false));
  const std::string head = loader.has("output.weight") ? "output" : "token_embd";
  KERF_TRY(ends.output, loader.linear(head, n_rows, config.width, false));
  KERF_TRY(ends.output_norm, loader.norm("output_norm", config.width, config.norm));
  if (!config.learned_positions) return {};
  KERF_TRY(const SourceTensor* positions,
           loader.tensor("position_embd.weight", {config.context_length, config.width}));
  ends.positions.resize(config.context_length * config.width);
  return source.read_rows(*positions, 0, config.context_length, ends.positions.data());
}

/// √(1 + ln(s) / ln(original)) with s = context / original (Ding et al. 2024, «LongRoPE», as Phi-3 uses it).
float longrope_attention_factor(const ModelConfig& config) {
  const double original = static_cast<double>(config.original_context);
  const double stretch = static_cast<double>(config.context_length) / original;
  if (stretch <= 1.0 || original <= 1.0) return 1.0F;
  return static_cast<float>(std::sqrt(1.0 + std::log(stretch) / std::log(original)));
}

Result<void> load_rope_factors(Loader& loader, bool has_attention_factor, ModelConfig& config,
                               ModelEnds& ends) {
  if (config.rope_pairs == RopePairs::none) return {};
  const std::size_t n_pairs = config.rope_width / 2;
  if (loader.has("rope_factors_long.weight")) {
    KERF_TRY(ends.rope_long_factors, loader.vector("rope_factors_long.weight", n_pairs));
    KERF_TRY(ends.rope_factors, loader.vector("rope_factors_short.weight", n_pairs));
    if (!has_attention_factor)
      config.rope.attention_factor = config.local_rope.attention_factor = longrope_attention_factor(config);
  } else {
    KERF_TRY(ends.rope_factors, loader.vector_if_any("rope_freqs.weight", n_pairs));
  }
  for (const auto* factors : {&ends.rope_factors, &ends.rope_long_factors})
    for (const float factor : *factors)
      if (!(factor > 0))
        return loader.error(ErrorKind::numeric, "rope factors", fmt::format("{} is not positive", factor));
  return {};
}

Result<ModelEnds> both_ends(Loader& loader, const ModelSource& source, ModelConfig& config) {
  ModelEnds ends;
  KERF_CHECK_OK(load_matrices(loader, source, config, ends));
  const bool has_attention_factor =
      source.metadata().contains(config.architecture + ".rope.scaling.attn_factor");
  KERF_CHECK_OK(load_rope_factors(loader, has_attention_factor, config, ends));
  return ends;
}

}  // namespace

Result<ModelEnds> load_ends(const ModelSource& source, ModelConfig& config) {
  Loader loader(source, config);
  return both_ends(loader, source, config);
}

Result<LayerWeights> load_layer(const ModelSource& source, const ModelConfig& config, std::size_t index) {
  Loader loader(source, config);
  return one_layer(loader, config, index);
}

Result<ModelWeights> load_weights(const ModelSource& source, ModelConfig& config) {
  ModelWeights weights;
  Loader loader(source, config);
  KERF_TRY(weights.ends, both_ends(loader, source, config));
  weights.layers.reserve(config.n_layers);
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    KERF_TRY(LayerWeights layer, one_layer(loader, config, i));
    weights.layers.push_back(std::move(layer));
  }
  weights.unused = loader.unused();
  return weights;
}

}  // namespace kerf

#include "kerf/model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/model/arch/architecture.h"

namespace kerf {
namespace {

// No model comes near these; a file that does is corrupt. They keep products of sizes far from overflow.
constexpr std::uint64_t kMaxLayers = 1U << 14;
constexpr std::uint64_t kMaxWidth = 1U << 24;
constexpr std::uint64_t kMaxExperts = 1U << 14;
constexpr std::uint64_t kMaxHeads = 1U << 14;
constexpr std::uint64_t kMaxHeadWidth = 1U << 14;
constexpr std::uint64_t kMaxContext = 1U << 30;

/// Reads «<arch>.<key>» of one model.
class Keys {
 public:
  Keys(const Metadata& metadata, std::string prefix) : metadata_(metadata), prefix_(std::move(prefix)) {}

  [[nodiscard]] std::string full(std::string_view key) const { return prefix_ + std::string(key); }
  [[nodiscard]] const MetaValue* find(std::string_view key) const { return metadata_.find(full(key)); }

  /// An integer in 1 … limit.
  [[nodiscard]] Result<std::size_t> count(std::string_view key, std::uint64_t limit) const {
    KERF_TRY(const std::uint64_t value, metadata_.u64(full(key)));
    return checked(key, value, 1, limit);
  }
  /// The same; `missing` if there is no such key.
  [[nodiscard]] Result<std::size_t> count_or(std::string_view key, std::uint64_t limit,
                                             std::size_t missing) const {
    if (find(key) == nullptr) return missing;
    return count(key, limit);
  }
  /// An integer in 0 … limit; 0 if missing.
  [[nodiscard]] Result<std::size_t> count_or_zero(std::string_view key, std::uint64_t limit) const {
    KERF_TRY(const std::uint64_t value, metadata_.u64_or(full(key), 0));
    return checked(key, value, 0, limit);
  }
  /// A positive finite number.
  [[nodiscard]] Result<float> positive_or(std::string_view key, double missing) const {
    KERF_TRY(const double value, metadata_.f64_or(full(key), missing));
    if (!(value > 0) || !(value <= std::numeric_limits<float>::max()))
      return fail(ErrorKind::input, metadata_.where(),
                  fmt::format("metadata key «{}» is {}, not a positive number", full(key), value));
    return static_cast<float>(value);
  }
  [[nodiscard]] Result<float> positive(std::string_view key) const {
    KERF_TRY(const double value, metadata_.f64(full(key)));
    return positive_or(key, value);
  }
  [[nodiscard]] Result<bool> boolean_or(std::string_view key, bool missing) const {
    return metadata_.boolean_or(full(key), missing);
  }
  [[nodiscard]] Result<std::string> string_or(std::string_view key, std::string missing) const {
    return metadata_.string_or(full(key), std::move(missing));
  }

  [[nodiscard]] tl::unexpected<Error> error(ErrorKind kind, std::string what) const {
    return fail(kind, metadata_.where(), std::move(what));
  }

 private:
  [[nodiscard]] Result<std::size_t> checked(std::string_view key, std::uint64_t value, std::uint64_t least,
                                            std::uint64_t limit) const {
    if (value < least || value > limit)
      return error(ErrorKind::input, fmt::format("metadata key «{}» is {}, outside of {} … {}", full(key),
                                                 value, least, limit));
    return static_cast<std::size_t>(value);
  }

  const Metadata& metadata_;
  std::string prefix_;
};

void apply_family(const Family& family, ModelConfig& config) {
  config.norm = family.norm;
  config.qk_norm = family.qk_norm;
  config.post_norms = family.post_norms;
  config.rope_pairs = family.rope_pairs;
  config.learned_positions = family.rope_pairs == RopePairs::none;
  config.mlp = family.mlp;
  config.activation = family.activation;
  config.needs_qkv_bias = family.needs_qkv_bias;
  config.needs_linear_bias = family.needs_linear_bias;
}

Result<void> read_sizes(const Keys& keys, ModelConfig& config) {
  KERF_TRY(config.n_layers, keys.count("block_count", kMaxLayers));
  KERF_TRY(config.width, keys.count("embedding_length", kMaxWidth));
  KERF_TRY(config.ffn_width, keys.count("feed_forward_length", kMaxWidth));
  KERF_TRY(config.context_length, keys.count("context_length", kMaxContext));
  KERF_TRY(config.n_heads, keys.count("attention.head_count", kMaxHeads));
  KERF_TRY(config.n_kv_heads, keys.count_or("attention.head_count_kv", kMaxHeads, config.n_heads));
  if (config.n_heads % config.n_kv_heads != 0)
    return keys.error(ErrorKind::input, fmt::format("{} query heads cannot share {} key heads evenly",
                                                    config.n_heads, config.n_kv_heads));
  KERF_TRY(config.head_width,
           keys.count_or("attention.key_length", kMaxHeadWidth, config.width / config.n_heads));
  KERF_TRY(const std::size_t value_width,
           keys.count_or("attention.value_length", kMaxHeadWidth, config.head_width));
  if (value_width != config.head_width)
    return keys.error(ErrorKind::unsupported, fmt::format("heads with keys of {} and values of {} elements",
                                                          config.head_width, value_width));
  if (config.head_width == 0)
    return keys.error(ErrorKind::input,
                      fmt::format("{} heads do not fit a width of {}", config.n_heads, config.width));
  return {};
}

/// Experts that take the place of gate, up and down in every layer.
Result<void> read_experts(const Keys& keys, const Family& family, ModelConfig& config) {
  KERF_TRY(config.n_experts, keys.count_or_zero("expert_count", kMaxExperts));
  if (config.n_experts == 0) {
    if (family.has_experts) return keys.count("expert_count", kMaxExperts).map([](std::size_t) {});
    return {};
  }
  if (!family.may_have_experts && !family.has_experts)
    return keys.error(
        ErrorKind::unsupported,
        fmt::format("a mixture of {} experts in a {} model; kerf knows those of llama (mixtral) "
                    "and qwen3moe",
                    config.n_experts, config.architecture));
  KERF_TRY(config.n_experts_used, keys.count("expert_used_count", config.n_experts));
  KERF_TRY(config.ffn_width, keys.count_or("expert_feed_forward_length", kMaxWidth, config.ffn_width));
  KERF_TRY(const std::size_t n_shared, keys.count_or_zero("expert_shared_count", kMaxExperts));
  if (n_shared > 0)
    return keys.error(ErrorKind::unsupported, fmt::format("{} experts that all tokens share", n_shared));
  KERF_TRY(config.normalize_expert_weights, keys.boolean_or("expert_weights_norm", true));
  return {};
}

Result<void> read_norm(const Keys& keys, ModelConfig& config) {
  const bool rms = config.norm == NormKind::rms;
  KERF_TRY(config.norm_epsilon,
           keys.positive(rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"));
  return {};
}

Result<void> read_yarn(const Keys& keys, RopeConfig& rope) {
  if (!(rope.base > 1))
    return keys.error(ErrorKind::input, fmt::format("YaRN with a RoPE base of {}", rope.base));
  YarnConfig yarn;
  KERF_TRY(rope.factor, keys.positive("rope.scaling.factor"));
  KERF_TRY(yarn.original_context, keys.count("rope.scaling.original_context_length", kMaxContext));
  KERF_TRY(yarn.beta_fast, keys.positive_or("rope.scaling.yarn_beta_fast", 32.0));
  KERF_TRY(yarn.beta_slow, keys.positive_or("rope.scaling.yarn_beta_slow", 1.0));
  KERF_TRY(const float mix, keys.positive_or("rope.scaling.yarn_ext_factor", 1.0));
  if (mix != 1.0F)
    return keys.error(ErrorKind::unsupported, fmt::format("YaRN with an extrapolation factor of {}", mix));
  const double stretch = std::max(1.0, static_cast<double>(rope.factor));
  KERF_TRY(rope.attention_factor,
           keys.positive_or("rope.scaling.yarn_attn_factor", 0.1 * std::log(stretch) + 1.0));
  rope.yarn = yarn;
  return {};
}

/// Width, base and scaling of RoPE. The factors of llama3 and longrope are tensors and come with the weights.
Result<void> read_rope(const Keys& keys, const Family& family, ModelConfig& config) {
  if (config.rope_pairs == RopePairs::none) return {};
  KERF_TRY(config.rope_width, keys.count_or("rope.dimension_count", config.head_width, config.head_width));
  if (config.rope_width % 2 != 0)
    return keys.error(ErrorKind::input,
                      fmt::format("RoPE over an odd number of elements ({})", config.rope_width));
  KERF_TRY(config.rope.base, keys.positive_or("rope.freq_base", 10000.0));
  KERF_TRY(const std::string scaling, keys.string_or("rope.scaling.type", "none"));
  if (scaling == "linear") {
    KERF_TRY(config.rope.factor, keys.positive("rope.scaling.factor"));
  } else if (scaling == "yarn") {
    KERF_CHECK_OK(read_yarn(keys, config.rope));
  } else if (scaling != "none" && scaling != "longrope") {
    return keys.error(
        ErrorKind::unsupported,
        fmt::format("RoPE scaling «{}»; known are none, linear, yarn, longrope (and llama3, which files "
                    "hold as a tensor)",
                    scaling));
  }
  KERF_TRY(config.original_context,
           keys.count_or("rope.scaling.original_context_length", kMaxContext, config.context_length));
  KERF_TRY(const float attention_factor, keys.positive_or("rope.scaling.attn_factor", 1.0));
  config.rope.attention_factor *= attention_factor;
  config.local_rope = config.rope;
  if (family.local_rope_base > 0) {
    config.local_rope = {};
    KERF_TRY(config.local_rope.base, keys.positive_or("rope.freq_base_swa", family.local_rope_base));
  }
  return {};
}

/// Which layers have a window: true for local.
Result<std::vector<bool>> read_pattern(const Keys& keys, const Family& family, std::size_t n_layers) {
  constexpr std::string_view kKey = "attention.sliding_window_pattern";
  std::vector<bool> local(n_layers, true);
  if (const MetaValue* value = keys.find(kKey); value != nullptr && value->is_array()) {
    const auto* flags = std::get_if<std::vector<std::int64_t>>(&value->value);
    if (flags == nullptr || flags->size() != n_layers)
      return keys.error(
          ErrorKind::input,
          fmt::format("metadata key «{}» is not one bool for each of {} layers", keys.full(kKey), n_layers));
    for (std::size_t i = 0; i < n_layers; ++i) local[i] = (*flags)[i] != 0;
    return local;
  }
  std::size_t period = family.window_pattern;
  if (keys.find(kKey) != nullptr) {
    KERF_TRY(period, keys.count_or_zero(kKey, kMaxLayers));
  }
  if (period > 0)
    for (std::size_t i = 0; i < n_layers; ++i) local[i] = i % period != period - 1;
  return local;
}

Result<void> read_attention(const Keys& keys, const Family& family, ModelConfig& config) {
  const bool by_width = config.n_layers == family.layers_scaled_by_width;
  const auto scaled_width = static_cast<double>(by_width ? config.width / config.n_heads : config.head_width);
  KERF_TRY(config.attention_scale, keys.positive_or("attention.scale", 1.0 / std::sqrt(scaled_width)));
  KERF_TRY(config.sliding_window, keys.count_or_zero("attention.sliding_window", kMaxContext));
  config.layer_is_local.assign(config.n_layers, false);
  if (config.sliding_window > 0) {
    KERF_TRY(config.layer_is_local, read_pattern(keys, family, config.n_layers));
  }
  return {};
}

Result<void> read_vocabulary(const Metadata& metadata, const Keys& keys, ModelConfig& config) {
  if (const MetaValue* tokens = metadata.find("tokenizer.ggml.tokens"))
    if (const auto* pieces = std::get_if<std::vector<std::string>>(&tokens->value))
      config.n_vocabulary = pieces->size();
  KERF_TRY(config.n_vocabulary, keys.count_or("vocab_size", kMaxWidth, config.n_vocabulary));
  return {};
}

}  // namespace

Result<ModelConfig> config_from_metadata(const Metadata& metadata) {
  ModelConfig config;
  KERF_TRY(config.architecture, metadata.string("general.architecture"));
  const Architecture* architecture = find_architecture(config.architecture);
  if (architecture == nullptr)
    return fail(ErrorKind::unsupported, metadata.where(),
                fmt::format("architecture «{}»; known are {}", config.architecture, architecture_names()));
  const Family& family = architecture->family;
  const Keys keys(metadata, config.architecture + ".");
  apply_family(family, config);
  KERF_CHECK_OK(read_sizes(keys, config));
  KERF_CHECK_OK(read_experts(keys, family, config));
  KERF_CHECK_OK(read_norm(keys, config));
  KERF_CHECK_OK(read_rope(keys, family, config));
  KERF_CHECK_OK(read_attention(keys, family, config));
  KERF_CHECK_OK(read_vocabulary(metadata, keys, config));
  if (family.scales_embedding) config.embedding_scale = std::sqrt(static_cast<float>(config.width));
  const std::string softcap = "final_logit_softcapping";
  if (keys.find(softcap) != nullptr) {
    KERF_TRY(config.final_softcap, keys.positive(softcap));
  }
  return config;
}

}  // namespace kerf

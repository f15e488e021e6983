#include "kerf/model/hf_metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "kerf/io/printable.h"

namespace kerf {
namespace {

MetaValue u32(std::uint64_t value) {
  return MetaValue::of_u32(static_cast<std::uint32_t>(value));
}

Result<void> check_activation(const HfConfig& config, const Architecture& architecture) {
  const auto& known = architecture.hf.activations;
  const std::string_view key = architecture.hf.keys.activation;
  KERF_TRY(const std::string activation, config.string_or(key, std::string(known.front())));
  if (std::find(known.begin(), known.end(), activation) != known.end()) return {};
  return fail(ErrorKind::unsupported, config.where(),
              fmt::format("activation «{}» ({}) in a model of the {} family; known are {}",
                          printable(activation), key, architecture.name, fmt::join(known, ", ")));
}

/// True for layers with a window, from layer_types of transformers since 4.53; empty if it is not there.
Result<std::vector<bool>> read_layer_types(const HfConfig& config, std::uint64_t layers) {
  std::vector<bool> local;
  if (!config.has("layer_types")) return local;
  KERF_TRY(const std::vector<std::string> types, config.strings("layer_types"));
  if (types.size() != layers)
    return fail(ErrorKind::input, config.where(),
                fmt::format("key «layer_types» has {} entries for {} layers", types.size(), layers));
  for (const std::string& type : types) {
    if (type != "sliding_attention" && type != "full_attention")
      return fail(ErrorKind::unsupported, config.where(),
                  fmt::format("layers of the type «{}»", printable(type)));
    local.push_back(type == "sliding_attention");
  }
  return local;
}

/// n if `local` says that each n-th layer sees everything (0: none does), or nothing.
std::optional<std::uint64_t> period_of(const std::vector<bool>& local) {
  const auto first = std::find(local.begin(), local.end(), false);
  if (first == local.end()) return 0;
  const auto period = static_cast<std::size_t>(first - local.begin()) + 1;
  for (std::size_t i = 0; i < local.size(); ++i)
    if (local[i] != (i % period != period - 1)) return std::nullopt;
  return period;
}

/// Which layers of a family that mixes both kinds have the window.
Result<MetaValue> window_pattern(const HfConfig& config, const Family& family, const HfDimensions& sizes) {
  KERF_TRY(const std::vector<bool> local, read_layer_types(config, sizes.layers));
  if (local.empty()) {
    KERF_TRY(const std::uint64_t usual, config.count_or("_sliding_window_pattern", family.window_pattern));
    KERF_TRY(const std::uint64_t period, config.count_or("sliding_window_pattern", usual));
    return u32(period);
  }
  if (const auto period = period_of(local)) return u32(*period);
  return MetaValue{MetaType::boolean, std::vector<std::int64_t>(local.begin(), local.end())};
}

Result<void> describe_window(const HfConfig& config, const Architecture& architecture,
                             const HfDimensions& sizes, Metadata& metadata) {
  const HfLayout& layout = architecture.hf;
  const std::string key = fmt::format("{}.attention.sliding_window", architecture.name);
  KERF_TRY(const std::string class_name, config.architecture());
  std::uint64_t window = 0;
  if (std::find(layout.windowed.begin(), layout.windowed.end(), class_name) != layout.windowed.end()) {
    window = layout.defaults.sliding_window;
    if (config.has("sliding_window")) {
      KERF_TRY(window, config.count("sliding_window"));
    }
  }
  if (window != 0 || layout.always_writes_window) metadata.set(key, u32(window));
  if (window != 0 && architecture.family.window_pattern != 0) {
    KERF_TRY(MetaValue pattern, window_pattern(config, architecture.family, sizes));
    metadata.set(key + "_pattern", std::move(pattern));
  }
  return {};
}

/// Gemma's queries are scaled by 1/√(query_pre_attn_scalar); elsewhere it is 1/√D, which goes without saying.
Result<void> describe_scale(const HfConfig& config, const Architecture& architecture,
                            const HfDimensions& sizes, Metadata& metadata) {
  if (!config.has("query_pre_attn_scalar")) return {};
  KERF_TRY(const double scalar, config.number("query_pre_attn_scalar"));
  if (!(scalar > 0))
    return fail(ErrorKind::input, config.where(),
                fmt::format("key «query_pre_attn_scalar» is {}, not a positive number", scalar));
  if (scalar != static_cast<double>(sizes.head))
    metadata.set(fmt::format("{}.attention.scale", architecture.name),
                 MetaValue::of_f32(static_cast<float>(1.0 / std::sqrt(scalar))));
  return {};
}

Result<void> describe_norm(const HfConfig& config, const Architecture& architecture, Metadata& metadata) {
  const HfLayout& layout = architecture.hf;
  KERF_TRY(const double epsilon, config.number_or(layout.keys.norm_epsilon, layout.defaults.norm_epsilon));
  if (!(epsilon > 0))
    return fail(ErrorKind::input, config.where(),
                fmt::format("key «{}» is {}, not a positive number", layout.keys.norm_epsilon, epsilon));
  metadata.set(fmt::format("{}.{}", architecture.name, layout.norm_epsilon),
               MetaValue::of_f32(static_cast<float>(epsilon)));
  return {};
}

/// Layers that are dense among others with experts (mlp_only_layers, decoder_sparse_step of Qwen).
Result<void> check_sparse_layers(const HfConfig& config) {
  KERF_TRY(const std::uint64_t step, config.count_or("decoder_sparse_step", 1));
  std::vector<double> dense;
  if (config.has("mlp_only_layers")) {
    KERF_TRY(dense, config.numbers("mlp_only_layers"));
  }
  if (step == 1 && dense.empty()) return {};
  return fail(ErrorKind::unsupported, config.where(),
              "some layers have experts and others do not (decoder_sparse_step, mlp_only_layers)");
}

Result<void> describe_ffn(const HfConfig& config, const Architecture& architecture, const HfDimensions& sizes,
                          Metadata& metadata) {
  const HfLayout& layout = architecture.hf;
  const auto set = [&](std::string_view key, MetaValue value) {
    metadata.set(fmt::format("{}.{}", architecture.name, key), std::move(value));
  };
  std::uint64_t ffn = sizes.ffn;
  if (!layout.keys.dense_ffn.empty()) {
    KERF_TRY(ffn, config.count_or(layout.keys.dense_ffn, sizes.ffn));
    set("expert_feed_forward_length", u32(sizes.ffn));
  }
  set("feed_forward_length", u32(ffn));
  if (sizes.experts == 0) return {};
  set("expert_count", u32(sizes.experts));
  set("expert_used_count", u32(sizes.experts_used));
  KERF_CHECK_OK(check_sparse_layers(config));
  if (layout.normalize_experts.empty()) return {};
  KERF_TRY(const bool normalize, config.boolean_or(layout.normalize_experts, false));
  if (!normalize) set("expert_weights_norm", MetaValue::of_bool(false));
  return {};
}

}  // namespace

std::string size_label(std::uint64_t n_parameters, std::uint64_t n_experts) {
  if (n_experts > 0) return fmt::format("{}x{}", n_experts, size_label(n_parameters));
  constexpr std::pair<double, char> kUnits[] = {{1e12, 'T'}, {1e9, 'B'}, {1e6, 'M'}, {1e3, 'K'}};
  const auto n = static_cast<double>(n_parameters);
  const auto* unit = std::find_if(std::begin(kUnits), std::prev(std::end(kUnits)),
                                  [&](const auto& candidate) { return n > candidate.first; });
  const double scaled = n / unit->first;
  return fmt::format("{:.{}f}{}", scaled, std::nearbyint(scaled) < 10 ? 1 : 0, unit->second);
}

Result<void> check_supported(const HfConfig& config, const Architecture& architecture) {
  if (config.has("quantization_config"))
    return fail(
        ErrorKind::unsupported, config.where(),
        "the weights are already quantized (quantization_config); give the original model in 16 or 32 "
        "bits");
  KERF_CHECK_OK(check_activation(config, architecture));
  for (const FixedFlag& flag : architecture.hf.fixed_flags) {
    KERF_TRY(const bool value, config.boolean_or(flag.key, flag.value));
    if (value != flag.value)
      return fail(ErrorKind::unsupported, config.where(),
                  fmt::format("«{}» is {} in a model of the {} family", flag.key, value, architecture.name));
  }
  if (config.has("attn_logit_softcapping"))
    return fail(ErrorKind::unsupported, config.where(),
                "attention with capped logits (attn_logit_softcapping)");
  return {};
}

Result<void> describe_model(const HfConfig& config, const Architecture& architecture,
                            const HfDimensions& sizes, Metadata& metadata) {
  const auto set = [&](std::string_view key, MetaValue value) {
    metadata.set(fmt::format("{}.{}", architecture.name, key), std::move(value));
  };
  set("block_count", u32(sizes.layers));
  set("context_length", u32(sizes.positions));
  set("embedding_length", u32(sizes.width));
  KERF_CHECK_OK(describe_ffn(config, architecture, sizes, metadata));
  set("attention.head_count", u32(sizes.heads));
  set("attention.head_count_kv", u32(sizes.kv_heads));
  set("attention.key_length", u32(sizes.head));
  set("attention.value_length", u32(sizes.head));
  set("vocab_size", u32(sizes.vocabulary));
  KERF_CHECK_OK(describe_norm(config, architecture, metadata));
  KERF_CHECK_OK(describe_scale(config, architecture, sizes, metadata));
  KERF_CHECK_OK(describe_window(config, architecture, sizes, metadata));
  if (config.has("final_logit_softcapping")) {
    KERF_TRY(const double cap, config.number("final_logit_softcapping"));
    set("final_logit_softcapping", MetaValue::of_f32(static_cast<float>(cap)));
  }
  return {};
}

}  // namespace kerf

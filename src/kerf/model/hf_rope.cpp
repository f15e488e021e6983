#include "kerf/model/hf_rope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kerf/io/printable.h"

namespace kerf {
namespace {

/// The description of RoPE after both spellings have been made one.
struct Rope {
  HfConfig parameters;  ///< of the layers that see everything: type, factor …
  std::string type;
  double base;
  double local_base;               ///< of layers with a window; 0: the same
  double rotated_share;            ///< of a head's elements
  std::uint64_t original_context;  ///< before it was stretched; 0: not said
};

/// The object that holds the parameters; an empty one if config.json has none.
Result<HfConfig> parameters_of(const HfConfig& config) {
  if (config.has("rope_parameters")) {
    KERF_TRY(HfConfig parameters, config.object("rope_parameters"));
    if (parameters.has("full_attention")) return parameters.object("full_attention");
    return parameters;
  }
  if (config.has("rope_scaling")) return config.object("rope_scaling");
  return HfConfig::parse("{}", config.where());
}

Result<double> local_base_of(const HfConfig& config, const Family& family) {
  const double usual = family.local_rope_base;
  if (config.has("rope_parameters")) {
    KERF_TRY(const HfConfig parameters, config.object("rope_parameters"));
    if (parameters.has("sliding_attention")) {
      KERF_TRY(const HfConfig local, parameters.object("sliding_attention"));
      return local.number_or("rope_theta", usual);
    }
  }
  return config.number_or("rope_local_base_freq", usual);
}

Result<Rope> read_rope(const HfConfig& config, const Architecture& architecture) {
  const ConfigDefaults& defaults = architecture.hf.defaults;
  KERF_TRY(HfConfig parameters, parameters_of(config));
  KERF_TRY(const std::string old_type, parameters.string_or("type", "default"));
  KERF_TRY(std::string type, parameters.string_or("rope_type", old_type));
  KERF_TRY(const double old_base, config.number_or("rope_theta", defaults.rope_base));
  KERF_TRY(const double base, parameters.number_or("rope_theta", old_base));
  KERF_TRY(const double local_base, local_base_of(config, architecture.family));
  KERF_TRY(const double old_share, config.number_or("partial_rotary_factor", 1.0));
  KERF_TRY(const double share, parameters.number_or("partial_rotary_factor", old_share));
  constexpr std::string_view kOriginal = "original_max_position_embeddings";
  KERF_TRY(const std::uint64_t old_original, config.count_or(kOriginal, defaults.original_context));
  KERF_TRY(const std::uint64_t original, parameters.count_or(kOriginal, old_original));
  if (!(base > 0) || local_base < 0)
    return fail(ErrorKind::input, config.where(), "RoPE's base (rope_theta) is not positive");
  if (!(share > 0 && share <= 1))
    return fail(ErrorKind::input, config.where(),
                fmt::format("key «partial_rotary_factor» is {}, not above 0 and at most 1", share));
  return Rope{std::move(parameters), std::move(type), base, local_base, share, original};
}

Result<double> positive(const HfConfig& config, std::string_view key) {
  KERF_TRY(const double value, config.number(key));
  if (value > 0) return value;
  return fail(ErrorKind::input, config.where(),
              fmt::format("RoPE's «{}» is {}, not a positive number", key, value));
}

/// Llama 3.1's factors [n_pairs]: slow frequencies are divided by `factor`, fast ones stay, with a ramp
/// between. Source: transformers, modeling_rope_utils.py, _compute_llama3_parameters.
Result<ComputedTensor> llama3_factors(const Rope& rope, std::uint64_t n_pairs) {
  KERF_TRY(const double factor, positive(rope.parameters, "factor"));
  KERF_TRY(const double low, positive(rope.parameters, "low_freq_factor"));
  KERF_TRY(const double high, positive(rope.parameters, "high_freq_factor"));
  if (low >= high)
    return fail(ErrorKind::input, rope.parameters.where(),
                fmt::format("RoPE's low_freq_factor {} is not below high_freq_factor {}", low, high));
  KERF_TRY(const double context, positive(rope.parameters, "original_max_position_embeddings"));
  ComputedTensor tensor{"rope_freqs.weight", {}};
  for (std::uint64_t i = 0; i < n_pairs; ++i) {
    const double frequency = std::pow(rope.base, -static_cast<double>(i) / static_cast<double>(n_pairs));
    const double turns = context * frequency / (2 * std::numbers::pi);  // within the original context
    const double ramp = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    tensor.values.push_back(static_cast<float>(1.0 / ((1 - ramp) / factor + ramp)));
  }
  return tensor;
}

/// Yarn (Peng et al. 2023).
Result<void> describe_yarn(const Rope& rope, const std::string& prefix, const HfDimensions& sizes,
                           Metadata& metadata) {
  KERF_TRY(const double factor, positive(rope.parameters, "factor"));
  const std::uint64_t original = rope.original_context != 0 ? rope.original_context : sizes.positions;
  metadata.set(prefix + "scaling.type", MetaValue::of_string("yarn"));
  metadata.set(prefix + "scaling.factor", MetaValue::of_f32(static_cast<float>(factor)));
  metadata.set(prefix + "scaling.original_context_length",
               MetaValue::of_u32(static_cast<std::uint32_t>(original)));
  constexpr std::pair<const char*, const char*> kOptional[] = {{"extrapolation_factor", "yarn_ext_factor"},
                                                               {"attention_factor", "yarn_attn_factor"},
                                                               {"beta_fast", "yarn_beta_fast"},
                                                               {"beta_slow", "yarn_beta_slow"}};
  for (const auto& [key, gguf] : kOptional) {
    if (!rope.parameters.has(key)) continue;
    KERF_TRY(const double value, rope.parameters.number(key));
    metadata.set(prefix + "scaling." + gguf, MetaValue::of_f32(static_cast<float>(value)));
  }
  return {};
}

Result<ComputedTensor> longrope_factors(const Rope& rope, std::string_view key, std::string name,
                                        std::uint64_t n_pairs) {
  KERF_TRY(const std::vector<double> factors, rope.parameters.numbers(key));
  if (factors.size() != n_pairs)
    return fail(ErrorKind::input, rope.parameters.where(),
                fmt::format("RoPE's «{}» has {} factors, heads turn {} pairs", key, factors.size(), n_pairs));
  if (std::any_of(factors.begin(), factors.end(), [](double f) { return !(f > 0); }))
    return fail(ErrorKind::input, rope.parameters.where(),
                fmt::format("RoPE's «{}» has a factor that is not positive", key));
  return ComputedTensor{std::move(name), std::vector<float>(factors.begin(), factors.end())};
}

/// LongRoPE (Ding et al. 2024): other factors beyond the original context, and longer queries and keys.
Result<std::vector<ComputedTensor>> describe_longrope(const Rope& rope, const std::string& prefix,
                                                      const HfDimensions& sizes, std::uint64_t n_pairs,
                                                      Metadata& metadata) {
  KERF_TRY(auto longer, longrope_factors(rope, "long_factor", "rope_factors_long.weight", n_pairs));
  KERF_TRY(auto shorter, longrope_factors(rope, "short_factor", "rope_factors_short.weight", n_pairs));
  const auto original = static_cast<double>(rope.original_context);
  const double stretch = static_cast<double>(sizes.positions) / original;
  // Equation 6 of the paper, as transformers has it.
  double usual = 1.0;
  if (stretch > 1) usual = std::sqrt(1 + std::log(stretch) / std::log(original));
  KERF_TRY(const double attention_factor, rope.parameters.number_or("attention_factor", usual));
  metadata.set(prefix + "scaling.attn_factor", MetaValue::of_f32(static_cast<float>(attention_factor)));
  return std::vector<ComputedTensor>{std::move(longer), std::move(shorter)};
}

/// Elements of a head that RoPE turns, the first ones.
Result<std::uint64_t> rotated_elements(const Rope& rope, const Architecture& architecture,
                                       const HfDimensions& sizes) {
  if (rope.rotated_share != 1 && !architecture.hf.partial_rope)
    return fail(
        ErrorKind::unsupported, rope.parameters.where(),
        fmt::format("RoPE over a part of each head (partial_rotary_factor {}) in a model of the {} family",
                    rope.rotated_share, architecture.name));
  const auto n = static_cast<std::uint64_t>(rope.rotated_share * static_cast<double>(sizes.head));
  if (n < 2 || n % 2 != 0)
    return fail(ErrorKind::input, rope.parameters.where(),
                fmt::format("RoPE turns {} of a head's {} elements; it needs an even number", n, sizes.head));
  return n;
}

Result<std::vector<ComputedTensor>> describe_scaling(const Rope& rope, const std::string& prefix,
                                                     const HfDimensions& sizes, std::uint64_t n_pairs,
                                                     Metadata& metadata) {
  std::vector<ComputedTensor> tensors;
  if (rope.type == "linear") {
    KERF_TRY(const double factor, positive(rope.parameters, "factor"));
    metadata.set(prefix + "scaling.type", MetaValue::of_string("linear"));
    metadata.set(prefix + "scaling.factor", MetaValue::of_f32(static_cast<float>(factor)));
  } else if (rope.type == "llama3") {
    KERF_TRY(tensors.emplace_back(), llama3_factors(rope, n_pairs));
  } else if (rope.type == "yarn") {
    KERF_CHECK_OK(describe_yarn(rope, prefix, sizes, metadata));
  } else if (rope.type == "longrope" || rope.type == "su") {
    return describe_longrope(rope, prefix, sizes, n_pairs, metadata);
  }
  // «dynamic» changes nothing up to the context that the model was made for.
  return tensors;
}

}  // namespace

Result<std::vector<ComputedTensor>> describe_rope(const HfConfig& config, const Architecture& architecture,
                                                  const HfDimensions& sizes, Metadata& metadata) {
  const HfLayout& layout = architecture.hf;
  if (layout.rope_types.empty()) return std::vector<ComputedTensor>{};
  KERF_TRY(const Rope rope, read_rope(config, architecture));
  if (std::find(layout.rope_types.begin(), layout.rope_types.end(), rope.type) == layout.rope_types.end())
    return fail(ErrorKind::unsupported, config.where(),
                fmt::format("RoPE scaling «{}» in a model of the {} family; known are {}",
                            printable(rope.type), architecture.name, fmt::join(layout.rope_types, ", ")));
  KERF_TRY(const std::uint64_t n_rotated, rotated_elements(rope, architecture, sizes));

  const std::string prefix = fmt::format("{}.rope.", architecture.name);
  metadata.set(prefix + "dimension_count", MetaValue::of_u32(static_cast<std::uint32_t>(n_rotated)));
  metadata.set(prefix + "freq_base", MetaValue::of_f32(static_cast<float>(rope.base)));
  if (rope.local_base > 0)
    metadata.set(prefix + "freq_base_swa", MetaValue::of_f32(static_cast<float>(rope.local_base)));
  if (layout.defaults.original_context != 0)
    metadata.set(prefix + "scaling.original_context_length",
                 MetaValue::of_u32(static_cast<std::uint32_t>(rope.original_context)));
  return describe_scaling(rope, prefix, sizes, n_rotated / 2, metadata);
}

}  // namespace kerf

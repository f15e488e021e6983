#include "kerf/model/hf_dimensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "kerf/base/check.h"

namespace kerf {
namespace {

// No model comes near these; they keep products of sizes far from overflow.
constexpr std::uint64_t kMaxLayers = 1U << 14;
constexpr std::uint64_t kMaxWidth = 1U << 24;
constexpr std::uint64_t kMaxHeads = 1U << 14;
constexpr std::uint64_t kMaxHeadWidth = 1U << 14;
constexpr std::uint64_t kMaxExperts = 1U << 14;

Result<void> check_limits(const HfConfig& config, const HfDimensions& sizes) {
  const std::tuple<const char*, std::uint64_t, std::uint64_t> limits[] = {
      {"layers", sizes.layers, kMaxLayers},
      {"elements of width", sizes.width, kMaxWidth},
      {"elements of feed-forward width", sizes.ffn, kMaxWidth},
      {"heads", sizes.heads, kMaxHeads},
      {"elements in a head", sizes.head, kMaxHeadWidth},
      {"tokens in the vocabulary", sizes.vocabulary, kMaxWidth}};
  for (const auto& [what, value, limit] : limits)
    if (value > limit)
      return fail(ErrorKind::input, config.where(),
                  fmt::format("{} {}: more than the {} that any model has", value, what, limit));
  return {};
}

/// A size under `key`, or `missing` if config.json has no such key and `missing` is not 0.
Result<std::uint64_t> size(const HfConfig& config, std::string_view key, std::uint64_t missing) {
  return missing == 0 ? config.count(key) : config.count_or(key, missing);
}

Result<std::uint64_t> read_head_width(const HfConfig& config, const HfLayout& layout,
                                      const HfDimensions& sizes) {
  if (config.has(layout.keys.head_width)) return config.count(layout.keys.head_width);
  if (layout.defaults.head_width != 0) return layout.defaults.head_width;
  if (sizes.width % sizes.heads != 0)
    return fail(ErrorKind::input, config.where(),
                fmt::format("{} heads do not divide a width of {} evenly", sizes.heads, sizes.width));
  return sizes.width / sizes.heads;
}

bool stacks_experts(const HfLayout& layout) {
  return std::any_of(layout.tensors.begin(), layout.tensors.end(),
                     [](const TensorRule& rule) { return rule.rows == Extent::experts; });
}

Result<void> read_experts(const HfConfig& config, HfDimensions& sizes) {
  // transformers called it num_experts in some families before its version 5.
  KERF_TRY(sizes.experts,
           config.count(config.has("num_local_experts") ? "num_local_experts" : "num_experts"));
  KERF_TRY(sizes.experts_used, config.count("num_experts_per_tok"));
  if (sizes.experts > kMaxExperts || sizes.experts == 0 || sizes.experts_used == 0 ||
      sizes.experts_used > sizes.experts)
    return fail(ErrorKind::input, config.where(),
                fmt::format("{} of {} experts for each token; between 1 and all of at most {} can be",
                            sizes.experts_used, sizes.experts, kMaxExperts));
  return {};
}

}  // namespace

std::uint64_t HfDimensions::of(Extent extent) const noexcept {
  switch (extent) {
    case Extent::one:
      return 1;
    case Extent::vocabulary:
      return vocabulary;
    case Extent::width:
      return width;
    case Extent::ffn:
      return ffn;
    case Extent::ffn_twice:
      return 2 * ffn;
    case Extent::queries:
      return heads * head;
    case Extent::keys:
      return kv_heads * head;
    case Extent::qkv:
      return (heads + 2 * kv_heads) * head;
    case Extent::head:
      return head;
    case Extent::positions:
      return positions;
    case Extent::experts:
      return experts;
    case Extent::ffn_of_experts:
      return experts * ffn;
    case Extent::width_of_experts:
      return experts * width;
  }
  KERF_CHECK(false);
  return 0;
}

Result<HfDimensions> read_dimensions(const HfConfig& config, const HfLayout& layout) {
  const ConfigKeys& keys = layout.keys;
  const ConfigDefaults& defaults = layout.defaults;
  HfDimensions sizes;
  KERF_TRY(sizes.vocabulary, size(config, keys.vocabulary, defaults.vocabulary));
  KERF_TRY(sizes.layers, size(config, keys.layers, 0));
  KERF_TRY(sizes.width, size(config, keys.width, 0));
  KERF_TRY(sizes.ffn, size(config, keys.ffn, defaults.ffn_per_width * sizes.width));
  KERF_TRY(sizes.heads, size(config, keys.heads, defaults.heads));
  const std::uint64_t usual_kv_heads = defaults.kv_heads != 0 ? defaults.kv_heads : sizes.heads;
  KERF_TRY(sizes.kv_heads, size(config, keys.kv_heads, usual_kv_heads));
  KERF_TRY(sizes.positions, size(config, keys.context, defaults.context));
  if (sizes.heads % sizes.kv_heads != 0)
    return fail(ErrorKind::input, config.where(),
                fmt::format("{} heads cannot share {} key-value heads evenly", sizes.heads, sizes.kv_heads));
  KERF_TRY(sizes.head, read_head_width(config, layout, sizes));
  if (stacks_experts(layout)) KERF_CHECK_OK(read_experts(config, sizes));
  KERF_CHECK_OK(check_limits(config, sizes));
  if (!layout.rope_types.empty() && sizes.head % 2 != 0)
    return fail(ErrorKind::input, config.where(),
                fmt::format("heads are {} wide; RoPE turns pairs and needs an even number", sizes.head));
  return sizes;
}

}  // namespace kerf

#include "kerf/methods/mixture.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace kerf {
namespace {

using formats::q2_k, formats::q3_k, formats::q4_k, formats::q5_k, formats::q6_k, formats::q8_0;

constexpr const Format* kLadder[] = {&q2_k, &q3_k, &q4_k, &q5_k, &q6_k, &q8_0};

// general.file_type values as llama.cpp's enum llama_ftype has them: do not renumber.
constexpr Mixture kMixtures[] = {
    {"Q2_K_S", &q2_k, MixtureSize::small, 21},  {"Q2_K_M", &q2_k, MixtureSize::medium, 10},
    {"Q3_K_S", &q3_k, MixtureSize::small, 11},  {"Q3_K_M", &q3_k, MixtureSize::medium, 12},
    {"Q3_K_L", &q3_k, MixtureSize::large, 13},  {"Q4_K_S", &q4_k, MixtureSize::small, 14},
    {"Q4_K_M", &q4_k, MixtureSize::medium, 15}, {"Q4_K_L", &q4_k, MixtureSize::large, 15},
    {"Q5_K_S", &q5_k, MixtureSize::small, 16},  {"Q5_K_M", &q5_k, MixtureSize::medium, 17},
    {"Q5_K_L", &q5_k, MixtureSize::large, 17},
};

const Format* rungs_up(const Format* base, std::ptrdiff_t n) {
  const auto* place = std::find(std::begin(kLadder), std::end(kLadder), base);
  return place[std::min(n, std::end(kLadder) - place - 1)];
}

const Format* output_format(const Format* base) {
  const Format* up = rungs_up(base, 2);
  return up->bits_per_weight() < q6_k.bits_per_weight() ? &q6_k : up;
}

/// The N of «blk.N.…».
std::optional<std::size_t> layer_of(std::string_view tensor) {
  if (!tensor.starts_with("blk.")) return std::nullopt;
  std::size_t layer = 0;
  const auto parsed = std::from_chars(tensor.data() + 4, tensor.data() + tensor.size(), layer);
  return parsed.ec == std::errc{} ? std::optional(layer) : std::nullopt;
}

bool is_delicate_layer(std::size_t layer, std::size_t n_layers) {
  const std::size_t edge = n_layers / 8;
  return layer < edge || layer + edge >= n_layers || (layer - edge) % 3 == 2;
}

}  // namespace

std::span<const Mixture> all_mixtures() noexcept {
  return kMixtures;
}

const Mixture* find_mixture(std::string_view name) noexcept {
  const auto* place = std::find_if(std::begin(kMixtures), std::end(kMixtures), [&](const Mixture& mixture) {
    return std::equal(name.begin(), name.end(), mixture.name.begin(), mixture.name.end(),
                      [](unsigned char a, unsigned char b) { return std::toupper(a) == b; });
  });
  return place == std::end(kMixtures) ? nullptr : place;
}

const Format* mixture_format(const Mixture& mixture, std::string_view tensor, bool is_output,
                             std::size_t n_layers) {
  if (is_output) return output_format(mixture.base);
  const std::optional<std::size_t> layer = layer_of(tensor);
  if (!layer) return mixture.base;
  const bool is_value = tensor.ends_with("attn_v.weight") || tensor.ends_with("attn_qkv.weight");
  const bool is_down = tensor.ends_with("ffn_down.weight");
  const bool is_attention_output = tensor.ends_with("attn_output.weight");
  const bool raised =
      is_value || (is_down && mixture.size == MixtureSize::medium && is_delicate_layer(*layer, n_layers)) ||
      ((is_down || is_attention_output) && mixture.size == MixtureSize::large);
  return raised ? rungs_up(mixture.base, 1) : mixture.base;
}

}  // namespace kerf

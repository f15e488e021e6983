// Mixtures: names such as Q4_K_M that give different tensors different formats. The rule is kerf's own:
//
//   ladder   Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_0
//   output   (the embedding, where it is also the output) two rungs above the base, at least Q6_K: every
//            logit passes through it, and no later layer averages its error
//   _S       attn_v one rung up: under grouped queries it is small and every query head reads it
//   _M       _S, and ffn_down one rung up in the first and last eighth of the layers and in every third
//            layer between: its inputs have the largest outliers
//   _L       _M, with ffn_down one rung up everywhere, and attn_output too
//
// A plain type (Q4_0) is every matrix in that type, but the output in at least Q6_K.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kerf/formats/format.h"

namespace kerf {

enum class MixtureSize : std::uint8_t { small, medium, large };

struct Mixture {
  std::string_view name;
  const Format* base;
  MixtureSize size;
  std::uint32_t gguf_file_type;  ///< general.file_type
};

[[nodiscard]] std::span<const Mixture> all_mixtures() noexcept;
/// In any case; nullptr if there is none.
[[nodiscard]] const Mixture* find_mixture(std::string_view name) noexcept;

/// The format that a mixture gives a weight matrix by its GGUF name. `is_output` holds for the tensor that
/// makes the logits.
[[nodiscard]] const Format* mixture_format(const Mixture& mixture, std::string_view tensor, bool is_output,
                                           std::size_t n_layers);

}  // namespace kerf

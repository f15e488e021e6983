// What the metadata of a model take for granted because its family implies it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kerf/model/config.h"

namespace kerf {

struct Family {
  std::string_view architecture;  ///< value of general.architecture
  NormKind norm = NormKind::rms;
  RopePairs rope_pairs = RopePairs::halves;
  Activation activation = Activation::silu;
  MlpKind mlp = MlpKind::gated;
  bool qk_norm = false;
  bool post_norms = false;
  bool needs_qkv_bias = false;
  bool needs_linear_bias = false;
  bool scales_embedding = false;             ///< by √C
  std::uint32_t window_pattern = 0;          ///< each n-th layer sees everything, if the model has a window
  float local_rope_base = 0;                 ///< 0: local layers turn as the others do
  std::uint32_t layers_scaled_by_width = 0;  ///< model of so many layers: attention scale 1/√(C/H)
};

/// All of them, ordered by name.
[[nodiscard]] std::span<const Family> all_families() noexcept;
/// nullptr if unknown.
[[nodiscard]] const Family* find_family(std::string_view architecture) noexcept;
/// «gemma3, gpt2, …»
[[nodiscard]] std::string family_names();

}  // namespace kerf

// What the metadata of a model take for granted because its family implies it: the network's traits that no
// key of a GGUF file tells.
#pragma once

#include <cstdint>

#include "kerf/model/config.h"

namespace kerf {

struct Family {
  NormKind norm = NormKind::rms;
  RopePairs rope_pairs = RopePairs::halves;
  Activation activation = Activation::silu;
  MlpKind mlp = MlpKind::gated;
  bool qk_norm = false;
  bool post_norms = false;
  bool has_experts = false;       ///< always
  bool may_have_experts = false;  ///< if expert_count says so
  bool needs_qkv_bias = false;
  bool needs_linear_bias = false;
  bool scales_embedding = false;             ///< by √C
  std::uint32_t window_pattern = 0;          ///< each n-th layer sees everything, if the model has a window
  float local_rope_base = 0;                 ///< 0: local layers turn as the others do
  std::uint32_t layers_scaled_by_width = 0;  ///< model of so many layers: attention scale 1/√(C/H)
};

}  // namespace kerf

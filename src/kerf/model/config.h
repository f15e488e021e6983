// ModelConfig: a transformer's hyperparameters as plain fields. What is special about a family of models is a
// field here, not a branch on its name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kerf/base/metadata.h"
#include "kerf/base/result.h"

namespace kerf {

enum class NormKind : std::uint8_t { rms, layer };
enum class Activation : std::uint8_t { silu, gelu_tanh, gelu_erf };
/// Which elements of a head RoPE turns together.
enum class RopePairs : std::uint8_t { none, neighbours, halves };

struct ModelConfig {
  std::string architecture;  ///< general.architecture
  std::size_t n_layers = 0;
  std::size_t n_vocabulary = 0;  // V
  std::size_t width = 0;         // C
  std::size_t ffn_width = 0;
  std::size_t n_heads = 0;  // H
  std::size_t n_kv_heads = 0;
  std::size_t head_width = 0;  // D
  std::size_t context_length = 0;
  float norm_epsilon = 1e-5F;
  NormKind norm = NormKind::rms;
  Activation activation = Activation::silu;
  RopePairs rope_pairs = RopePairs::halves;
};

}  // namespace kerf

// ModelConfig: a transformer's hyperparameters as plain fields. What is special about a family of models is a
// field here, not a branch on its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kerf/base/metadata.h"
#include "kerf/base/result.h"

namespace kerf {

enum class NormKind : std::uint8_t { rms, layer };
enum class Activation : std::uint8_t { silu, gelu_tanh };
/// Which elements of a head RoPE turns together: (2i, 2i+1), or (i, i + width/2).
enum class RopePairs : std::uint8_t { none, neighbours, halves };
/// How the feed-forward network is stored: gate and up as two matrices, as one (gate above up), or no gate.
enum class MlpKind : std::uint8_t { gated, fused_gated, plain };

/// YaRN (Peng et al. 2023, §3.2 and 3.3): pairs that turn more than beta_fast times over the original context
/// keep their speed, those that turn less than beta_slow times are slowed by the whole factor, and between
/// them the share of the factor grows evenly.
struct YarnConfig {
  std::size_t original_context = 0;
  float beta_fast = 32.0F;
  float beta_slow = 1.0F;
};

/// Rotary position embedding (Su et al. 2021): pair i of a head turns by position / (factor ·
/// base^(2i/width)).
struct RopeConfig {
  float base = 10000.0F;
  float factor = 1.0F;                  ///< linear scaling («position interpolation»)
  std::optional<YarnConfig> yarn = {};  ///< factor is YaRN's
  float attention_factor = 1.0F;        ///< multiplies sine and cosine (longrope, YaRN)
};

struct ModelConfig {
  std::string architecture;  ///< general.architecture
  std::size_t n_layers = 0;
  std::size_t n_vocabulary = 0;  // V, rows of the embedding
  std::size_t width = 0;         // C
  std::size_t ffn_width = 0;     // F, of each expert where there are any
  std::size_t n_heads = 0;       // H
  std::size_t n_kv_heads = 0;    // a divisor of H
  std::size_t head_width = 0;    // D
  std::size_t context_length = 0;

  NormKind norm = NormKind::rms;
  float norm_epsilon = 1e-5F;
  bool qk_norm = false;     ///< RMS norm of each head's queries and keys before RoPE
  bool post_norms = false;  ///< a norm after attention and after the MLP, before the residual sum

  bool learned_positions = false;  ///< position_embd is added to the embedding
  RopePairs rope_pairs = RopePairs::halves;
  std::size_t rope_width = 0;  ///< first elements of a head that turn; the others stay
  RopeConfig rope;             ///< of layers that see the whole context
  RopeConfig local_rope;       ///< of layers with a window
  std::size_t original_context =
      0;  ///< longrope: up to this capacity the short factors apply, beyond the long

  float attention_scale = 0;       ///< of q·k
  std::size_t sliding_window = 0;  ///< tokens that a local layer sees, itself included; 0: no layer is local
  std::vector<bool> layer_is_local;  ///< [n_layers]
  float embedding_scale = 1.0F;      ///< multiplies the token's embedding
  float final_softcap = 0;           ///< logits become cap·tanh(logits/cap); 0: they stay

  MlpKind mlp = MlpKind::gated;
  std::size_t n_experts = 0;             ///< E; 0: a dense model
  std::size_t n_experts_used = 0;        ///< by each token
  bool normalize_expert_weights = true;  ///< those of a token's experts add up to one
  Activation activation = Activation::silu;
  bool needs_qkv_bias = false;     ///< q, k, v must have biases (elsewhere they may)
  bool needs_linear_bias = false;  ///< so must all other linear layers except the output head

  [[nodiscard]] bool has_experts() const noexcept { return n_experts > 0; }
  [[nodiscard]] std::size_t q_width() const noexcept { return n_heads * head_width; }
  [[nodiscard]] std::size_t kv_width() const noexcept { return n_kv_heads * head_width; }
};

/// Reads the keys that GGUF files carry («<arch>.block_count» …, as llama.cpp's converter writes them) and
/// checks that they fit together. Four keys that only some files have:
///   <arch>.attention.scale                    scale of q·k; otherwise 1/√D
///   <arch>.attention.sliding_window_pattern   n: each n-th layer sees everything (0: none does, 1: all do),
///                                             or an array with one bool per layer, true for local
///   <arch>.expert_weights_norm                false: a token's experts keep their shares of the softmax over
///   all <arch>.rope.freq_base_swa                 RoPE base of local layers
/// n_vocabulary is 0 if the metadata do not tell; Model::load() takes it from the embedding.
/// Errors: unsupported (architecture, kind of experts, RoPE scaling), not_found and input (keys).
Result<ModelConfig> config_from_metadata(const Metadata& metadata);

}  // namespace kerf

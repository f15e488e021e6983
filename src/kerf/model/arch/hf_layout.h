// How the Hugging Face checkpoints of one family of models are laid out, and what GGUF calls the same things.
// Data only: the arithmetic is in hf_metadata.cpp, hf_rope.cpp and hf_tensors.cpp. A new family is one file
// here and one line in arch.def (docs/architectures.md).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kerf {

/// An extent of a tensor, as a hyperparameter.
enum class Extent : std::uint8_t {
  one,               ///< the second extent of a vector
  vocabulary,        ///< V
  width,             ///< C
  ffn,               ///< F
  ffn_twice,         ///< 2F: gate above up
  queries,           ///< H·D
  keys,              ///< Hkv·D, also that of the values
  qkv,               ///< (H + 2·Hkv)·D
  head,              ///< D
  positions,         ///< tokens in the context
  experts,           ///< E
  ffn_of_experts,    ///< E·F: all rows of a stack [E, F, C]
  width_of_experts,  ///< E·C: all rows of a stack [E, C, F]
};

/// What GGUF wants done to a weight.
enum class Transform : std::uint8_t {
  as_is,
  /// Rows of a head from RoPE's halves (i, i + D/2) to neighbours (2i, 2i + 1); the bias likewise.
  interleave_heads,
  /// Conv1D of GPT-2 stores [K, R].
  transpose,
  /// Norms that are stored as the distance from one.
  add_one,
};

enum class Bias : std::uint8_t { never, optional, always };

/// One layer, or one per block where the names hold «{}» for the number of the block. Where the checkpoint's
/// name holds «[]» for the number of an expert, GGUF has the matrices of all experts in one tensor [E, R, K]
/// (Transform::as_is, no bias). Its tensors are the
/// names with «.weight» and, with a bias, «.bias» behind.
struct TensorRule {
  std::string_view gguf;
  std::string_view hf;
  Extent rows;  ///< of the weight in GGUF, after the transform; also the bias's length
  Extent columns = Extent::one;
  Transform transform = Transform::as_is;
  Bias bias = Bias::never;
  std::string_view bias_flag = {};  ///< an optional bias must be there if config.json says that this is true
  bool unless_tied = false;         ///< ignored if the output head is the embedding
};

/// The keys of config.json; an empty one is not used by the family.
struct ConfigKeys {
  std::string_view vocabulary = "vocab_size";
  std::string_view layers = "num_hidden_layers";
  std::string_view width = "hidden_size";
  std::string_view ffn = "intermediate_size";
  std::string_view heads = "num_attention_heads";
  std::string_view kv_heads = "num_key_value_heads";
  std::string_view head_width = "head_dim";
  std::string_view context = "max_position_embeddings";
  std::string_view norm_epsilon = "rms_norm_eps";
  std::string_view activation = "hidden_act";
  std::string_view dense_ffn = {};  ///< width that a feed-forward network without experts would have
};

/// What transformers takes where config.json says nothing. 0: there is no default, the key must be there,
/// except: key-value heads are as many as heads, heads are C/H wide.
struct ConfigDefaults {
  std::uint64_t vocabulary = 0;
  std::uint64_t heads = 0;
  std::uint64_t kv_heads = 0;
  std::uint64_t head_width = 0;
  std::uint64_t context = 0;
  std::uint64_t ffn_per_width = 0;  ///< F as a multiple of C
  double norm_epsilon = 0;
  double rope_base = 10000.0;
  std::uint64_t original_context = 0;  ///< before longrope stretched it
  std::uint64_t sliding_window = 0;
  bool tied_embeddings = false;
};

/// A flag of config.json that changes what is computed and for which there is only one supported value.
struct FixedFlag {
  std::string_view key;
  bool value;  ///< also what an absent key means
};

struct HfLayout {
  std::span<const std::string_view> architectures;  ///< first entry of «architectures» in config.json
  ConfigKeys keys = {};
  ConfigDefaults defaults = {};
  /// GGUF key below «<architecture>.».
  std::string_view norm_epsilon = "attention.layer_norm_rms_epsilon";
  std::span<const std::string_view> activations;
  std::span<const FixedFlag> fixed_flags = {};
  std::span<const std::string_view> rope_types;  ///< empty: the family has no RoPE
  bool partial_rope = false;                     ///< RoPE may turn only the first part of a head
  /// Those of `architectures` whose layers see only the last sliding_window tokens; others have the key too,
  /// to no effect.
  std::span<const std::string_view> windowed = {};
  /// A zero is written where the model has no window: llama.cpp tells Phi-4 from Phi-3 by it.
  bool always_writes_window = false;
  /// Flag that the weights of a token's experts add up to one; false if config.json does not say, and they
  /// always do if the family has no such flag.
  std::string_view normalize_experts = {};
  std::span<const TensorRule> tensors;
  /// Cut out of tensor names before they are looked up («transformer.», which some checkpoints lack).
  std::span<const std::string_view> removed_from_names = {};
  /// Tensors that are no weights of the language model: buffers, other modalities.
  std::span<const std::string_view> ignored_suffixes = {};
  std::span<const std::string_view> ignored_prefixes = {};
};

}  // namespace kerf

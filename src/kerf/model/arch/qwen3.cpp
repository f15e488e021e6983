// Qwen 3, dense: each head's queries and keys pass an RMS norm before RoPE.
// Source: transformers, models/qwen3; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;
using enum Transform;

constexpr std::string_view kClasses[] = {"Qwen3ForCausalLM"};
constexpr std::string_view kActivations[] = {"silu"};
constexpr std::string_view kRopeTypes[] = {"default", "linear", "dynamic", "yarn"};
constexpr FixedFlag kFlags[] = {{"use_sliding_window", false}};
constexpr std::string_view kBuffers[] = {".rotary_emb.inv_freq"};

constexpr TensorRule kTensors[] = {
    {"token_embd", "model.embed_tokens", vocabulary, width},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm", width},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", queries, width, as_is, Bias::optional,
     "attention_bias"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", head},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", keys, width, as_is, Bias::optional,
     "attention_bias"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", head},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", keys, width, as_is, Bias::optional,
     "attention_bias"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", width, queries, as_is, Bias::optional,
     "attention_bias"},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm", width},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj", ffn, width},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj", ffn, width},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", width, ffn},
    {"output_norm", "model.norm", width},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture qwen3 = {
    .name = "qwen3",
    .family = {.qk_norm = true},
    .hf =
        {
            .architectures = kClasses,
            .defaults = {.head_width = 128, .context = 32768, .norm_epsilon = 1e-6},
            .activations = kActivations,
            .fixed_flags = kFlags,
            .rope_types = kRopeTypes,
            .tensors = kTensors,
            .ignored_suffixes = kBuffers,
        },
};

}  // namespace kerf::arch

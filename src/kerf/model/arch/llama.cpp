// Llama 1 to 3, Mistral, SmolLM and the many that share their code.
// Source: transformers, models/llama and models/mistral; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;
using enum Transform;

constexpr std::string_view kClasses[] = {"LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM"};
constexpr std::string_view kWindowed[] = {"MistralForCausalLM"};
constexpr std::string_view kActivations[] = {"silu"};
constexpr std::string_view kRopeTypes[] = {"default", "linear", "dynamic", "llama3", "yarn"};
constexpr std::string_view kBuffers[] = {".rotary_emb.inv_freq"};

constexpr TensorRule kTensors[] = {
    {"token_embd", "model.embed_tokens", vocabulary, width},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm", width},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", queries, width, interleave_heads, Bias::optional,
     "attention_bias"},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", keys, width, interleave_heads, Bias::optional,
     "attention_bias"},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", keys, width, as_is, Bias::optional,
     "attention_bias"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", width, queries, as_is, Bias::optional,
     "attention_bias"},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm", width},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj", ffn, width, as_is, Bias::optional, "mlp_bias"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj", ffn, width, as_is, Bias::optional, "mlp_bias"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", width, ffn, as_is, Bias::optional, "mlp_bias"},
    {"output_norm", "model.norm", width},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture llama = {
    .name = "llama",
    // Rows of q and k are stored in an order that makes RoPE's pairs neighbours.
    .family = {.rope_pairs = RopePairs::neighbours, .may_have_experts = true},
    .hf =
        {
            .architectures = kClasses,
            .defaults = {.context = 2048, .norm_epsilon = 1e-6},
            .activations = kActivations,
            .rope_types = kRopeTypes,
            .windowed = kWindowed,
            .tensors = kTensors,
            .ignored_suffixes = kBuffers,
        },
};

}  // namespace kerf::arch

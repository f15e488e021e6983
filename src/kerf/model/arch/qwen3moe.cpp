// Qwen 3 with a mixture of experts instead of each feed-forward network.
// Source: transformers, models/qwen3_moe; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;
using enum Transform;

constexpr std::string_view kClasses[] = {"Qwen3MoeForCausalLM"};
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
    {"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate", experts, width},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.[].gate_proj", ffn_of_experts, width},
    {"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.[].up_proj", ffn_of_experts, width},
    {"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.[].down_proj", width_of_experts, ffn},
    {"output_norm", "model.norm", width},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture qwen3moe = {
    .name = "qwen3moe",
    .family = {.qk_norm = true, .has_experts = true},
    .hf =
        {
            .architectures = kClasses,
            .keys = {.ffn = "moe_intermediate_size", .dense_ffn = "intermediate_size"},
            .defaults = {.context = 32768, .norm_epsilon = 1e-6},
            .activations = kActivations,
            .fixed_flags = kFlags,
            .rope_types = kRopeTypes,
            .normalize_experts = "norm_topk_prob",
            .tensors = kTensors,
            .ignored_suffixes = kBuffers,
        },
};

}  // namespace kerf::arch

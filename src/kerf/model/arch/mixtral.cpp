// Mixtral: Mistral's network with a mixture of experts instead of each feed-forward network. GGUF calls it
// «llama», as its dense relatives; llama.expert_count tells them apart.
// Source: transformers, models/mixtral; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;
using enum Transform;

constexpr std::string_view kClasses[] = {"MixtralForCausalLM"};
constexpr std::string_view kActivations[] = {"silu"};
constexpr std::string_view kRopeTypes[] = {"default", "linear", "dynamic", "yarn"};
constexpr std::string_view kBuffers[] = {".rotary_emb.inv_freq"};

constexpr TensorRule kTensors[] = {
    {"token_embd", "model.embed_tokens", vocabulary, width},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm", width},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", queries, width, interleave_heads},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", keys, width, interleave_heads},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", keys, width},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", width, queries},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm", width},
    {"blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate", experts, width},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.[].w1", ffn_of_experts, width},
    {"blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.[].w3", ffn_of_experts, width},
    {"blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.[].w2", width_of_experts, ffn},
    {"output_norm", "model.norm", width},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture mixtral = {
    .name = "llama",
    .family = {.rope_pairs = RopePairs::neighbours, .has_experts = true},
    .hf =
        {
            .architectures = kClasses,
            .defaults = {.kv_heads = 8, .context = 131072, .norm_epsilon = 1e-5, .rope_base = 1e6},
            .activations = kActivations,
            .rope_types = kRopeTypes,
            .windowed = kClasses,
            .tensors = kTensors,
            .ignored_suffixes = kBuffers,
        },
};

}  // namespace kerf::arch

// Phi-3 and Phi-4: one matrix for queries, keys and values, one for gate and up; longrope beyond the context
// that the model was trained with first.
// Source: transformers, models/phi3; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;

constexpr std::string_view kClasses[] = {"Phi3ForCausalLM"};
constexpr std::string_view kActivations[] = {"silu"};
// «su» is how the first checkpoints call longrope.
constexpr std::string_view kRopeTypes[] = {"default", "longrope", "su"};
constexpr std::string_view kBuffers[] = {".rotary_emb.inv_freq"};

constexpr TensorRule kTensors[] = {
    {"token_embd", "model.embed_tokens", vocabulary, width},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm", width},
    {"blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj", qkv, width},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", width, queries},
    {"blk.{}.ffn_norm", "model.layers.{}.post_attention_layernorm", width},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj", ffn_twice, width},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", width, ffn},
    {"output_norm", "model.norm", width},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture phi3 = {
    .name = "phi3",
    .family = {.mlp = MlpKind::fused_gated},
    .hf =
        {
            .architectures = kClasses,
            .defaults = {.context = 4096, .norm_epsilon = 1e-5, .original_context = 4096},
            .activations = kActivations,
            .rope_types = kRopeTypes,
            .partial_rope = true,
            .windowed = kClasses,
            .always_writes_window = true,
            .tensors = kTensors,
            .ignored_suffixes = kBuffers,
        },
};

}  // namespace kerf::arch

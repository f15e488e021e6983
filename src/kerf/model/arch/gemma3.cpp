// Gemma 3, text: norms before and after attention and feed-forward network, stored as the distance from one;
// five layers with a window for each that sees everything, with RoPE bases of their own. Of a multimodal
// checkpoint the language part is taken.
// Source: transformers, models/gemma3; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;
using enum Transform;

constexpr std::string_view kClasses[] = {"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"};
constexpr std::string_view kActivations[] = {"gelu_pytorch_tanh"};
constexpr std::string_view kRopeTypes[] = {"default", "linear"};
constexpr FixedFlag kFlags[] = {{"use_bidirectional_attention", false}, {"attention_bias", false}};
// «language_model.model.layers…» and «model.language_model.layers…» both occur.
constexpr std::string_view kRemoved[] = {"language_model."};
constexpr std::string_view kBuffers[] = {".rotary_emb.inv_freq"};
constexpr std::string_view kVision[] = {"vision_tower.", "model.vision_tower.", "multi_modal_projector.",
                                        "model.multi_modal_projector."};

constexpr TensorRule kTensors[] = {
    {"token_embd", "model.embed_tokens", vocabulary, width},
    {"blk.{}.attn_norm", "model.layers.{}.input_layernorm", width, one, add_one},
    {"blk.{}.attn_q", "model.layers.{}.self_attn.q_proj", queries, width},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_norm", head, one, add_one},
    {"blk.{}.attn_k", "model.layers.{}.self_attn.k_proj", keys, width},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_norm", head, one, add_one},
    {"blk.{}.attn_v", "model.layers.{}.self_attn.v_proj", keys, width},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.o_proj", width, queries},
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm", width, one, add_one},
    {"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm", width, one, add_one},
    {"blk.{}.ffn_gate", "model.layers.{}.mlp.gate_proj", ffn, width},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.up_proj", ffn, width},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.down_proj", width, ffn},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm", width, one, add_one},
    {"output_norm", "model.norm", width, one, add_one},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture gemma3 = {
    .name = "gemma3",
    // GGUF files of others do not carry query_pre_attn_scalar; it differs from the head's width only in the
    // 27B model, known by its 62 layers.
    .family = {.activation = Activation::gelu_tanh,
               .qk_norm = true,
               .post_norms = true,
               .scales_embedding = true,
               .window_pattern = 6,
               .local_rope_base = 10000.0F,
               .layers_scaled_by_width = 62},
    .hf =
        {
            .architectures = kClasses,
            .keys = {.activation = "hidden_activation"},
            .defaults = {.vocabulary = 262208,
                         .heads = 8,
                         .kv_heads = 4,
                         .head_width = 256,
                         .context = 131072,
                         .norm_epsilon = 1e-6,
                         .rope_base = 1e6,
                         .sliding_window = 4096,
                         .tied_embeddings = true},
            .activations = kActivations,
            .fixed_flags = kFlags,
            .rope_types = kRopeTypes,
            .windowed = kClasses,
            .tensors = kTensors,
            .removed_from_names = kRemoved,
            .ignored_suffixes = kBuffers,
            .ignored_prefixes = kVision,
        },
};

}  // namespace kerf::arch

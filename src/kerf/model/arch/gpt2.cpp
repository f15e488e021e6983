// GPT-2: layer norms, learned positions, and linear layers stored the other way round.
// Source: transformers, models/gpt2; names as in GGUF files.
#include "kerf/model/arch/architecture.h"

namespace kerf::arch {
namespace {

using enum Extent;
using enum Transform;

constexpr std::string_view kClasses[] = {"GPT2LMHeadModel"};
// Different spellings of the tanh approximation.
constexpr std::string_view kActivations[] = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"};
constexpr FixedFlag kFlags[] = {
    {"scale_attn_weights", true}, {"scale_attn_by_inverse_layer_idx", false}, {"add_cross_attention", false}};
constexpr std::string_view kRemoved[] = {"transformer."};
constexpr std::string_view kMasks[] = {".attn.bias", ".attn.masked_bias"};

constexpr TensorRule kTensors[] = {
    {"token_embd", "wte", vocabulary, width},
    {"position_embd", "wpe", positions, width},
    {"blk.{}.attn_norm", "h.{}.ln_1", width, one, as_is, Bias::always},
    {"blk.{}.attn_qkv", "h.{}.attn.c_attn", qkv, width, transpose, Bias::always},
    {"blk.{}.attn_output", "h.{}.attn.c_proj", width, queries, transpose, Bias::always},
    {"blk.{}.ffn_norm", "h.{}.ln_2", width, one, as_is, Bias::always},
    {"blk.{}.ffn_up", "h.{}.mlp.c_fc", ffn, width, transpose, Bias::always},
    {"blk.{}.ffn_down", "h.{}.mlp.c_proj", width, ffn, transpose, Bias::always},
    {"output_norm", "ln_f", width, one, as_is, Bias::always},
    {.gguf = "output", .hf = "lm_head", .rows = vocabulary, .columns = width, .unless_tied = true},
};

}  // namespace

const Architecture gpt2 = {
    .name = "gpt2",
    .family = {.norm = NormKind::layer,
               .rope_pairs = RopePairs::none,
               .activation = Activation::gelu_tanh,
               .mlp = MlpKind::plain,
               .needs_qkv_bias = true,
               .needs_linear_bias = true},
    .hf =
        {
            .architectures = kClasses,
            .keys = {.vocabulary = "vocab_size",
                     .layers = "n_layer",
                     .width = "n_embd",
                     .ffn = "n_inner",
                     .heads = "n_head",
                     .kv_heads = "",
                     .head_width = "",
                     .context = "n_positions",
                     .norm_epsilon = "layer_norm_epsilon",
                     .activation = "activation_function"},
            .defaults = {.context = 1024, .ffn_per_width = 4, .norm_epsilon = 1e-5, .tied_embeddings = true},
            .norm_epsilon = "attention.layer_norm_epsilon",
            .activations = kActivations,
            .fixed_flags = kFlags,
            .rope_types = {},
            .tensors = kTensors,
            .removed_from_names = kRemoved,
            .ignored_suffixes = kMasks,
        },
};

}  // namespace kerf::arch

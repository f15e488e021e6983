#include "kerf/model/families.h"

namespace kerf {
namespace {

constexpr Family kFamilies[] = {
    // Gemma 3 (Google 2025). GGUF files do not carry query_pre_attn_scalar; it differs from the head's width
    // only in the 27B model, known by its 62 layers.
    {.architecture = "gemma3",
     .activation = Activation::gelu_tanh,
     .qk_norm = true,
     .post_norms = true,
     .scales_embedding = true,
     .window_pattern = 6,
     .local_rope_base = 10000.0F,
     .layers_scaled_by_width = 62},
    // GPT-2 (Radford et al. 2019).
    {.architecture = "gpt2",
     .norm = NormKind::layer,
     .rope_pairs = RopePairs::none,
     .activation = Activation::gelu_tanh,
     .mlp = MlpKind::plain,
     .needs_qkv_bias = true,
     .needs_linear_bias = true},
    // Llama 1 to 3, Mistral, SmolLM and the many that share their code. Rows of q and k are stored in an
    // order
    // that makes RoPE's pairs neighbours.
    {.architecture = "llama", .rope_pairs = RopePairs::neighbours},
    // Phi-3 and Phi-4 (Abdin et al. 2024): gate above up in one matrix.
    {.architecture = "phi3", .mlp = MlpKind::fused_gated},
    // Qwen 2 and 2.5.
    {.architecture = "qwen2", .needs_qkv_bias = true},
    // Qwen 3, dense.
    {.architecture = "qwen3", .qk_norm = true},
};

}  // namespace

std::span<const Family> all_families() noexcept {
  return kFamilies;
}

const Family* find_family(std::string_view architecture) noexcept {
  for (const Family& family : kFamilies)
    if (family.architecture == architecture) return &family;
  return nullptr;
}

std::string family_names() {
  std::string names;
  for (const Family& family : kFamilies) {
    if (!names.empty()) names += ", ";
    names += family.architecture;
  }
  return names;
}

}  // namespace kerf

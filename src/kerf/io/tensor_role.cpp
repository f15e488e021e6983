#include "kerf/io/tensor_role.h"

namespace kerf {
namespace {

struct Rule {
  std::string_view part;
  TensorRole role;
};

// The first part that the name contains decides: «attn_norm» is a norm before it is attention.
constexpr Rule kRules[] = {
    {"norm", TensorRole::norm},
    {"ln_", TensorRole::norm},
    {"layernorm", TensorRole::norm},
    {"token_embd", TensorRole::embedding},
    {"embed", TensorRole::embedding},
    {"position_embd", TensorRole::embedding},
    {"wte", TensorRole::embedding},
    {"wpe", TensorRole::embedding},
    {"lm_head", TensorRole::output},
    {"attn", TensorRole::attention},
    {"attention", TensorRole::attention},
    {"ffn", TensorRole::ffn},
    {"mlp", TensorRole::ffn},
    {"feed_forward", TensorRole::ffn},
    {"expert", TensorRole::ffn},
};

}  // namespace

std::string_view name_of(TensorRole role) noexcept {
  switch (role) {
    case TensorRole::embedding:
      return "embedding";
    case TensorRole::attention:
      return "attention";
    case TensorRole::ffn:
      return "ffn";
    case TensorRole::norm:
      return "norm";
    case TensorRole::output:
      return "output";
    case TensorRole::other:
      return "other";
  }
  return "other";
}

TensorRole role_of(std::string_view tensor) noexcept {
  if (tensor.starts_with("output.")) return TensorRole::output;
  for (const Rule& rule : kRules)
    if (tensor.find(rule.part) != std::string_view::npos) return rule.role;
  return TensorRole::other;
}

}  // namespace kerf

// What part of a transformer a tensor belongs to, by its name; for tables and charts, never for arithmetic.
#pragma once

#include <array>
#include <string_view>

namespace kerf {

enum class TensorRole { embedding, attention, ffn, norm, output, other };

inline constexpr std::array kTensorRoles = {TensorRole::embedding, TensorRole::attention, TensorRole::ffn,
                                            TensorRole::norm,      TensorRole::output,    TensorRole::other};

/// «embedding», «attention» …
[[nodiscard]] std::string_view name_of(TensorRole role) noexcept;

/// Knows the names of GGUF («blk.0.attn_q.weight») and of the common Hugging Face families.
[[nodiscard]] TensorRole role_of(std::string_view tensor) noexcept;

}  // namespace kerf

// The list of families of models that kerf knows; each is one file in this folder and one line in arch.def.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kerf/model/arch/family.h"
#include "kerf/model/arch/hf_layout.h"

namespace kerf {

struct Architecture {
  std::string_view name;  ///< general.architecture of GGUF files
  Family family;          ///< what the network is like
  HfLayout hf;            ///< how its checkpoints are laid out
};

/// Every one, in the order of arch.def.
[[nodiscard]] std::span<const Architecture* const> all_architectures() noexcept;
/// By general.architecture; nullptr if unknown.
[[nodiscard]] const Architecture* find_architecture(std::string_view name) noexcept;
/// All names, for messages: «gemma3, gpt2, …».
[[nodiscard]] std::string architecture_names();
/// By the class name in «architectures» of config.json («LlamaForCausalLM»); nullptr if unknown.
[[nodiscard]] const Architecture* architecture_of_hugging_face(std::string_view class_name) noexcept;
/// All class names that are known, for messages: «Gemma3ForCausalLM, …».
[[nodiscard]] std::string hugging_face_architectures();

#define KERF_ARCHITECTURE(identifier) extern const Architecture identifier;
namespace arch {
#include "kerf/model/arch/arch.def"
}
#undef KERF_ARCHITECTURE

}  // namespace kerf

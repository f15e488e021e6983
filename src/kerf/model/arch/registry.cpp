#include <algorithm>

#include "kerf/model/arch/architecture.h"

namespace kerf {
namespace {

constexpr const Architecture* kArchitectures[] = {
#define KERF_ARCHITECTURE(identifier) &arch::identifier,
#include "kerf/model/arch/arch.def"
#undef KERF_ARCHITECTURE
};

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ", ";
  list += name;
}

}  // namespace

std::span<const Architecture* const> all_architectures() noexcept {
  return kArchitectures;
}

const Architecture* find_architecture(std::string_view name) noexcept {
  for (const Architecture* architecture : kArchitectures)
    if (architecture->name == name) return architecture;
  return nullptr;
}

std::string architecture_names() {
  std::string list;
  for (const Architecture* architecture : kArchitectures)
    // Mixtral shares its name with llama.
    if (find_architecture(architecture->name) == architecture) append(list, architecture->name);
  return list;
}

const Architecture* architecture_of_hugging_face(std::string_view class_name) noexcept {
  for (const Architecture* architecture : kArchitectures) {
    const auto& names = architecture->hf.architectures;
    if (std::find(names.begin(), names.end(), class_name) != names.end()) return architecture;
  }
  return nullptr;
}

std::string hugging_face_architectures() {
  std::string list;
  for (const Architecture* architecture : kArchitectures)
    for (const std::string_view name : architecture->hf.architectures) append(list, name);
  return list;
}

}  // namespace kerf

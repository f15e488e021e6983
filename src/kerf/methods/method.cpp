#include "kerf/methods/method.h"

namespace kerf {

std::span<const Method* const> all_methods() noexcept {
#define KERF_METHOD(identifier) &methods::identifier,
  static constexpr const Method* kMethods[] = {
#include "kerf/methods/methods.def"
  };
#undef KERF_METHOD
  return kMethods;
}

const Method* find_method(std::string_view name) noexcept {
  for (const Method* method : all_methods())
    if (method->name == name) return method;
  return nullptr;
}

}  // namespace kerf

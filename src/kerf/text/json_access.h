// Typed reads from parsed JSON, with errors that name the member. For .cpp files that include json.hpp.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "kerf/base/result.h"

namespace kerf::text {

/// The member `name`, or null if `object` is not an object or has none.
inline const nlohmann::json& member(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kNull;
  if (!object.is_object()) return kNull;
  const auto place = object.find(name);
  return place == object.end() ? kNull : *place;
}

inline Result<std::string> string_or(const nlohmann::json& object, const char* name, std::string missing,
                                     const std::string& where) {
  const auto& value = member(object, name);
  if (value.is_null()) return missing;
  if (!value.is_string()) return fail(ErrorKind::input, where, fmt::format("«{}» is not a string", name));
  return value.get<std::string>();
}

inline Result<bool> bool_or(const nlohmann::json& object, const char* name, bool missing,
                            const std::string& where) {
  const auto& value = member(object, name);
  if (value.is_null()) return missing;
  if (!value.is_boolean())
    return fail(ErrorKind::input, where, fmt::format("«{}» is neither true nor false", name));
  return value.get<bool>();
}

/// A non-negative integer below 2^31, or −1 for a missing one.
inline Result<std::int32_t> id_or_none(const nlohmann::json& object, const char* name,
                                       const std::string& where) {
  const auto& value = member(object, name);
  if (value.is_null()) return -1;
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 0x7FFFFFFF)
    return fail(ErrorKind::input, where, fmt::format("«{}» is not a token id", name));
  return static_cast<std::int32_t>(value.get<std::uint64_t>());
}

}  // namespace kerf::text

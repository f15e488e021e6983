#include "kerf/base/metadata.h"

#include <fmt/format.h>

namespace kerf {
namespace {

std::string describe(const MetaValue& value) {
  return value.is_array() ? fmt::format("array of {}", name_of(value.type))
                          : std::string(name_of(value.type));
}

tl::unexpected<Error> missing_key(const std::string& where, std::string_view key) {
  return fail(ErrorKind::not_found, where, fmt::format("metadata key «{}» is missing", key));
}

tl::unexpected<Error> wrong_type(const std::string& where, std::string_view key, const MetaValue& value,
                                 std::string_view wanted) {
  return fail(ErrorKind::input, where,
              fmt::format("metadata key «{}» is of type {}, not {}", key, describe(value), wanted));
}

/// The alternative T of a key's value.
template <class T>
Result<const T*> get(const Metadata& metadata, std::string_view key, std::string_view wanted) {
  const MetaValue* value = metadata.find(key);
  if (value == nullptr) return missing_key(metadata.where(), key);
  if (const T* found = std::get_if<T>(&value->value)) return found;
  return wrong_type(metadata.where(), key, *value, wanted);
}

template <class T>
Result<T> or_missing(Result<T> result, T missing, bool present) {
  return present ? std::move(result) : Result<T>(std::move(missing));
}

}  // namespace

std::string_view name_of(MetaType type) noexcept {
  static constexpr std::string_view kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                "bool", "string", "array", "u64", "i64", "f64"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

void Metadata::set(std::string key, MetaValue value) {
  const auto [place, added] = index_.try_emplace(key, entries_.size());
  if (added)
    entries_.emplace_back(std::move(key), std::move(value));
  else
    entries_[place->second].second = std::move(value);
}

void Metadata::erase(std::string_view key) {
  const auto place = index_.find(std::string(key));
  if (place == index_.end()) return;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(place->second));
  index_.clear();
  for (std::size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].first, i);
}

const MetaValue* Metadata::find(std::string_view key) const {
  const auto place = index_.find(std::string(key));
  return place == index_.end() ? nullptr : &entries_[place->second].second;
}

Result<std::uint64_t> Metadata::u64(std::string_view key) const {
  KERF_TRY(const std::int64_t* value, get<std::int64_t>(*this, key, "unsigned integer"));
  const MetaType type = find(key)->type;
  if (type == MetaType::boolean || (*value < 0 && type != MetaType::u64))
    return wrong_type(where_, key, *find(key), "unsigned integer");
  return static_cast<std::uint64_t>(*value);
}

Result<double> Metadata::f64(std::string_view key) const {
  const MetaValue* value = find(key);
  if (value != nullptr && value->type != MetaType::boolean)
    if (const auto* integer = std::get_if<std::int64_t>(&value->value)) return static_cast<double>(*integer);
  KERF_TRY(const double* number, get<double>(*this, key, "number"));
  return *number;
}

Result<bool> Metadata::boolean(std::string_view key) const {
  KERF_TRY(const std::int64_t* value, get<std::int64_t>(*this, key, "bool"));
  if (find(key)->type != MetaType::boolean) return wrong_type(where_, key, *find(key), "bool");
  return *value != 0;
}

Result<std::string> Metadata::string(std::string_view key) const {
  KERF_TRY(const std::string* value, get<std::string>(*this, key, "string"));
  return *value;
}

Result<const std::vector<std::string>*> Metadata::strings(std::string_view key) const {
  return get<std::vector<std::string>>(*this, key, "array of strings");
}

Result<const std::vector<std::int64_t>*> Metadata::integers(std::string_view key) const {
  return get<std::vector<std::int64_t>>(*this, key, "array of integers");
}

Result<const std::vector<double>*> Metadata::floats(std::string_view key) const {
  return get<std::vector<double>>(*this, key, "array of floats");
}

Result<std::uint64_t> Metadata::u64_or(std::string_view key, std::uint64_t missing) const {
  return or_missing(u64(key), missing, contains(key));
}
Result<double> Metadata::f64_or(std::string_view key, double missing) const {
  return or_missing(f64(key), missing, contains(key));
}
Result<bool> Metadata::boolean_or(std::string_view key, bool missing) const {
  return or_missing(boolean(key), missing, contains(key));
}
Result<std::string> Metadata::string_or(std::string_view key, std::string missing) const {
  return or_missing(string(key), std::move(missing), contains(key));
}

}  // namespace kerf

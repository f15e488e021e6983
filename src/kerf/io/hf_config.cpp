#include "kerf/io/hf_config.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kerf/base/file.h"
#include "kerf/base/json.h"
#include "kerf/io/printable.h"

namespace kerf {
namespace {

/// Real ones have a few kilobytes.
constexpr std::uint64_t kMaxConfigBytes = 16U << 20;
constexpr std::uint64_t kMaxCount = 0x7FFFFFFFU;

/// How a value is spelled in the file, cut short: it goes into an error message.
std::string spelled(const nlohmann::json& value) {
  return printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), 40);
}

/// Within binary32, in which everything is computed.
bool is_finite_number(const nlohmann::json& value) {
  return value.is_number() && std::abs(value.get<double>()) <= std::numeric_limits<float>::max();
}

template <class T>
Result<T> or_absent(Result<T> result, T absent, bool present) {
  return present ? std::move(result) : Result<T>(std::move(absent));
}

}  // namespace

Result<HfConfig> HfConfig::read(const std::filesystem::path& file) {
  KERF_TRY(const std::string text, read_file(file, kMaxConfigBytes));
  return parse(text, file.string());
}

Result<HfConfig> HfConfig::parse(std::string_view text, const std::string& where) {
  KERF_TRY(nlohmann::json root, parse_json(text, where));
  if (!root.is_object()) return fail(ErrorKind::input, where, "is not a JSON object");
  if (const auto language = root.find("text_config"); language != root.end() && language->is_object()) {
    const nlohmann::json inner = *language;  // a copy: update() must not read what it replaces
    root.update(inner);
  }
  return HfConfig(std::make_shared<const nlohmann::json>(std::move(root)), where, "");
}

const nlohmann::json* HfConfig::find(std::string_view key) const {
  const auto place = object_->find(std::string(key));
  return place == object_->end() || place->is_null() ? nullptr : &*place;
}

bool HfConfig::has(std::string_view key) const {
  return find(key) != nullptr;
}

Result<std::string> HfConfig::architecture() const {
  KERF_TRY(const std::vector<std::string> names, strings("architectures"));
  if (names.empty()) return wrong("architectures", "a list with the class of the model");
  return names.front();
}

Result<const nlohmann::json*> HfConfig::get(std::string_view key) const {
  if (const nlohmann::json* value = find(key)) return value;
  return fail(ErrorKind::not_found, where_, fmt::format("key «{}{}» is missing", prefix_, key));
}

tl::unexpected<Error> HfConfig::wrong(std::string_view key, std::string_view wanted) const {
  return fail(ErrorKind::input, where_,
              fmt::format("key «{}{}» is {}, not {}", prefix_, key, spelled(*find(key)), wanted));
}

Result<std::uint64_t> HfConfig::count(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  // The parser holds whole numbers without a minus sign, and only those, as unsigned.
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() == 0 ||
      value->get<std::uint64_t>() > kMaxCount)
    return wrong(key, fmt::format("a whole number from 1 to {}", kMaxCount));
  return value->get<std::uint64_t>();
}

Result<double> HfConfig::number(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  if (!is_finite_number(*value)) return wrong(key, "a finite number");
  return value->get<double>();
}

Result<bool> HfConfig::boolean(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  if (!value->is_boolean()) return wrong(key, "true or false");
  return value->get<bool>();
}

Result<std::string> HfConfig::string(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  if (!value->is_string()) return wrong(key, "a string");
  return value->get<std::string>();
}

Result<std::vector<double>> HfConfig::numbers(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  if (!value->is_array()) return wrong(key, "a list of numbers");
  std::vector<double> list;
  for (const nlohmann::json& element : *value) {
    if (!is_finite_number(element)) return wrong(key, "a list of finite numbers");
    list.push_back(element.get<double>());
  }
  return list;
}

Result<std::vector<std::string>> HfConfig::strings(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  if (!value->is_array()) return wrong(key, "a list of strings");
  std::vector<std::string> list;
  for (const nlohmann::json& element : *value) {
    if (!element.is_string()) return wrong(key, "a list of strings");
    list.push_back(element.get<std::string>());
  }
  return list;
}

Result<HfConfig> HfConfig::object(std::string_view key) const {
  KERF_TRY(const nlohmann::json* value, get(key));
  if (!value->is_object()) return wrong(key, "an object");
  // Shares ownership of the whole document, points at the part.
  return HfConfig(std::shared_ptr<const nlohmann::json>(object_, value), where_,
                  fmt::format("{}{}.", prefix_, key));
}

Result<std::uint64_t> HfConfig::count_or(std::string_view key, std::uint64_t absent) const {
  return or_absent(count(key), absent, has(key));
}
Result<double> HfConfig::number_or(std::string_view key, double absent) const {
  return or_absent(number(key), absent, has(key));
}
Result<bool> HfConfig::boolean_or(std::string_view key, bool absent) const {
  return or_absent(boolean(key), absent, has(key));
}
Result<std::string> HfConfig::string_or(std::string_view key, std::string absent) const {
  return or_absent(string(key), std::move(absent), has(key));
}

}  // namespace kerf

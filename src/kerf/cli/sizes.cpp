#include "kerf/cli/sizes.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>

namespace kerf::cli {

Result<std::uint64_t> parse_bytes(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  std::string unit;
  for (; *end != '\0'; ++end)
    if (std::isspace(static_cast<unsigned char>(*end)) == 0)
      unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*end)));
  static const std::map<std::string, double, std::less<>> kUnits = {
      {"", 1},         {"b", 1},        {"kb", 1e3},     {"mb", 1e6},    {"gb", 1e9},
      {"tb", 1e12},    {"k", 0x1p10},   {"m", 0x1p20},   {"g", 0x1p30},  {"t", 0x1p40},
      {"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40}};
  const auto place = kUnits.find(unit);
  const bool starts_with_digit = !text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) != 0);
  const double bytes = place == kUnits.end() ? -1 : number * place->second;
  if (!starts_with_digit || !std::isfinite(bytes) || bytes < 0 || bytes >= 0x1p63)
    return fail(ErrorKind::usage, option, fmt::format("«{}» is not a size such as 60MB or 1.5GiB", text));
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace kerf::cli

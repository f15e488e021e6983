#include "kerf/methods/recipe_file.h"

#include <fmt/format.h>

#include "kerf/base/file.h"
#include "kerf/formats/format.h"

namespace kerf {
namespace {

constexpr std::uint64_t kMostBytes = 16 << 20;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

Result<RecipeRules> parse_recipe(std::string_view text, const std::string& where) {
  RecipeRules rules;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    // At the last equals sign: a type has none, an expression may.
    const std::size_t cut = line.rfind('=');
    const std::string_view type = cut == std::string_view::npos ? "" : trimmed(line.substr(cut + 1));
    if (type.empty() || trimmed(line.substr(0, cut)).empty())
      return fail(ErrorKind::input, fmt::format("{}:{}", where, number),
                  fmt::format("«{}» is not «REGEX = TYPE»", line));
    if (find_format(type) == nullptr)
      return fail(ErrorKind::input, fmt::format("{}:{}", where, number),
                  fmt::format("unknown type «{}»; «kerf formats --all» lists them", type));
    rules.emplace_back(trimmed(line.substr(0, cut)), type);
  }
  return rules;
}

Result<RecipeRules> read_recipe(const std::filesystem::path& path) {
  KERF_TRY(const std::string text, read_file(path, kMostBytes));
  return parse_recipe(text, path.string());
}

std::string recipe_text(const RecipeRules& rules, std::string_view comment) {
  std::string text;
  while (!comment.empty()) {
    const std::size_t end = comment.find('\n');
    text += fmt::format("# {}\n", comment.substr(0, end));
    comment.remove_prefix(end == std::string_view::npos ? comment.size() : end + 1);
  }
  for (const auto& [expression, type] : rules) text += fmt::format("{} = {}\n", expression, type);
  return text;
}

std::string exactly(std::string_view name) {
  std::string expression = "^";
  for (const char c : name) {
    if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) expression += '\\';
    expression += c;
  }
  return expression + '$';
}

}  // namespace kerf

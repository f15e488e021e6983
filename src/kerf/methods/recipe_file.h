// Recipe files: which type each tensor gets, as lines that people can read and edit.
//
//   # what follows a number sign is a comment
//   ^blk\.0\.attn_q\.weight$ = K3.5
//   ffn_down = Q6_K
//
// The first rule whose regular expression matches a tensor's name decides, as with --tensor-type.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

/// (regular expression, format), in the order of the file.
using RecipeRules = std::vector<std::pair<std::string, std::string>>;

/// Errors: not_found, io, input (a line that is not «REGEX = TYPE», an unknown type; names the line).
Result<RecipeRules> read_recipe(const std::filesystem::path& path);
/// The same from memory; `where` names the source in errors.
Result<RecipeRules> parse_recipe(std::string_view text, const std::string& where);

/// Lines for write_text(): each line of `comment` behind a number sign, then the rules.
[[nodiscard]] std::string recipe_text(const RecipeRules& rules, std::string_view comment);

/// A regular expression that matches this name and no other.
[[nodiscard]] std::string exactly(std::string_view name);

}  // namespace kerf

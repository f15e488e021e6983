// JSON text to values, with limits that keep hostile input from exhausting stack or memory.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "kerf/base/result.h"

namespace kerf {

/// Parses `text`. Errors: input, naming the byte offset; nesting deeper than 64, invalid UTF-8, duplicate
/// keys of one object and trailing characters are errors too. `where` names the file.
Result<nlohmann::json> parse_json(std::string_view text, const std::string& where);

}  // namespace kerf

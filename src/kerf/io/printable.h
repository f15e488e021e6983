// Names and texts from files, made safe to show: in error messages and on terminals.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kerf {

/// `text` with control characters, invisible direction marks and broken UTF-8 written as \xNN, cut with «…»
/// after `limit_bytes` of output.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit_bytes = 120);

}  // namespace kerf

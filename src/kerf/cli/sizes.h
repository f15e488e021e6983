// Sizes as people type them.
#pragma once

#include <cstdint>
#include <string>

#include "kerf/base/result.h"

namespace kerf::cli {

/// «60MB», «1.5 GiB», «2G» (binary, as memory is named), «123456». Errors: usage, naming `option`.
Result<std::uint64_t> parse_bytes(const std::string& option, const std::string& text);

}  // namespace kerf::cli

// The checksum that publishers of model files give.
#pragma once

#include <string>

#include "kerf/base/file.h"

namespace kerf {

/// SHA-256 (FIPS 180-4) of `bytes` as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256(Bytes bytes);

}  // namespace kerf

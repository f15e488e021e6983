// A fast checksum that tells whether bytes are the same as before. Not cryptographic.
#pragma once

#include <cstdint>
#include <string_view>

#include "kerf/base/file.h"

namespace kerf {

/// 64 bits of `bytes` and their number; `seed` chains several: checksum(b, checksum(a)). Four lanes of
/// multiply and rotate, so that it runs at the speed of memory; the numbers are in files: do not change it.
[[nodiscard]] std::uint64_t checksum(Bytes bytes, std::uint64_t seed = 0) noexcept;

[[nodiscard]] inline std::uint64_t checksum(std::string_view text, std::uint64_t seed = 0) noexcept {
  return checksum(Bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, seed);
}

}  // namespace kerf

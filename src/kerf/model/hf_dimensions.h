// The sizes of a model as its config.json gives them.
#pragma once

#include <cstdint>

#include "kerf/base/result.h"
#include "kerf/io/hf_config.h"
#include "kerf/model/arch/hf_layout.h"

namespace kerf {

struct HfDimensions {
  std::uint64_t vocabulary = 0;  // V
  std::uint64_t layers = 0;
  std::uint64_t width = 0;     // C
  std::uint64_t ffn = 0;       // F
  std::uint64_t heads = 0;     // H
  std::uint64_t kv_heads = 0;  // Hkv, a divisor of H
  std::uint64_t head = 0;      // D
  std::uint64_t positions = 0;
  std::uint64_t experts = 0;       // E; 0: a dense model
  std::uint64_t experts_used = 0;  // by a token

  [[nodiscard]] std::uint64_t of(Extent extent) const noexcept;
};

/// Errors: not_found (a key without a default is missing), input (wrong type or range; heads that do not
/// divide the width or share key-value heads unevenly).
Result<HfDimensions> read_dimensions(const HfConfig& config, const HfLayout& layout);

}  // namespace kerf

// What a number costs in bits once it is stored in some type, with its share of scales.
#pragma once

#include <string>
#include <string_view>

#include "kerf/base/result.h"
#include "kerf/formats/format.h"

namespace kerf {

struct StorageCost {
  std::string name;                ///< «Q4_K», «4 bits»
  double bits = 0;                 ///< per number
  std::string formula;             ///< «4 + 20/128»; empty if the bits are the type's own
  const Format* format = nullptr;  ///< if the type is one of the registry
};

/// Scales beside plain integers: `bits` of scale and zero point per `group` numbers, and, if the scales are
/// quantized themselves, `outer_bits` per `outer_group` of them.
struct GroupOverhead {
  double bits = 16;
  std::uint64_t group = 0;  ///< 0: no scales
  double outer_bits = 32;
  std::uint64_t outer_group = 0;
};

/// A format of the registry («Q4_K»), «nf4-dq» (QLoRA's: NF4 with double quantization), or a number of bits
/// («4», «2.5») with `overhead`. Error: usage.
Result<StorageCost> storage_cost(std::string_view type, const GroupOverhead& overhead = {});

}  // namespace kerf

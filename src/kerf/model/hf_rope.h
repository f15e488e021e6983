// Rotary position embedding as config.json describes it, in GGUF's terms. Both spellings are read: rope_theta
// and rope_scaling of transformers up to 4, rope_parameters since 5.
#pragma once

#include <string>
#include <vector>

#include "kerf/base/metadata.h"
#include "kerf/io/hf_config.h"
#include "kerf/model/arch/architecture.h"
#include "kerf/model/hf_dimensions.h"

namespace kerf {

/// A tensor that GGUF has and the checkpoint has not.
struct ComputedTensor {
  std::string name;
  std::vector<float> values;
};

/// Writes the «<architecture>.rope.*» keys and returns the tensors of factors that divide RoPE's frequencies:
/// rope_freqs.weight (llama3), rope_factors_long.weight and rope_factors_short.weight (longrope), each with
/// one number per pair of elements. Errors: unsupported (a kind of scaling that the family does not have),
/// input, not_found.
Result<std::vector<ComputedTensor>> describe_rope(const HfConfig& config, const Architecture& architecture,
                                                  const HfDimensions& sizes, Metadata& metadata);

}  // namespace kerf

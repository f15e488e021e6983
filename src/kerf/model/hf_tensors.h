// Which tensors of a Hugging Face checkpoint become which of GGUF, and what is done to them on the way.
#pragma once

#include <vector>

#include "kerf/base/result.h"
#include "kerf/io/container.h"
#include "kerf/io/hf_config.h"
#include "kerf/model/arch/architecture.h"
#include "kerf/model/hf_dimensions.h"
#include "kerf/model/source.h"

namespace kerf {

struct HfTensor {
  SourceTensor view;           ///< as GGUF has it
  const StoredTensor* stored;  ///< into the container; the first expert's, if there are any
  Transform transform;
  std::uint64_t head;                             ///< D, for Transform::interleave_heads
  std::vector<const StoredTensor*> experts = {};  ///< [E], all of one format, where GGUF stacks them
};

/// One entry per tensor of the GGUF file, in a fixed order: embeddings, blocks by number, output. The result
/// points into `container`. Errors: not_found (a tensor is missing), input (another shape than config.json
/// wants), unsupported (a tensor that the family does not know, so that ignoring it would change the model;
/// weights that are not floating point).
Result<std::vector<HfTensor>> plan_tensors(const Container& container, const HfConfig& config,
                                           const Architecture& architecture, const HfDimensions& sizes);

/// Rows [first, first + n) of a tensor as GGUF has it, to dst[n, row_length].
void read_rows(const HfTensor& tensor, std::uint64_t first, std::uint64_t n, float* dst);

}  // namespace kerf

// Touches everything that a parsed container promises, as the stages after it would.
#pragma once

#include <algorithm>
#include <vector>

#include "kerf/base/check.h"
#include "kerf/io/container.h"

namespace kerf::fuzz {

/// Aborts if a tensor's bytes are not what its shape and format say; looks at the first blocks of each.
inline void use(const Container& container) {
  KERF_CHECK(container.index.size() == container.tensors.size());
  for (const StoredTensor& tensor : container.tensors) {
    KERF_CHECK(container.find(tensor.name) == &tensor);
    const Format& format = *tensor.format;
    KERF_CHECK(tensor.bytes.size() == format.row_bytes(tensor.n_elements()));
    const std::size_t n_blocks = std::min<std::size_t>(tensor.bytes.size() / format.block_bytes, 4);
    if (n_blocks == 0) continue;
    std::vector<float> decoded(n_blocks * format.block_size);
    format.decode(tensor.bytes.data(), decoded.data(), decoded.size());
    for (std::size_t i = 0; i < n_blocks && format.defect != nullptr; ++i)
      format.defect(tensor.bytes.data() + i * format.block_bytes);
  }
}

}  // namespace kerf::fuzz

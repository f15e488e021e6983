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
    const std::uint64_t row_bytes = format.row_bytes(tensor.row_length());
    KERF_CHECK(tensor.bytes.size() == tensor.n_rows() * row_bytes);
    if (tensor.bytes.empty()) continue;
    // The beginning of the first row; a row of fewer blocks is a row too.
    const std::size_t n = std::min<std::size_t>(tensor.row_length(), 4 * format.block_size);
    std::vector<float> decoded(n);
    format.decode(tensor.bytes.data(), decoded.data(), n);
    if (format.header_defect != nullptr) format.header_defect(tensor.bytes.data());
    for (std::size_t at = format.header_bytes; at < format.row_bytes(n) && format.defect != nullptr;
         at += format.block_bytes)
      format.defect(tensor.bytes.data() + at);
  }
}

}  // namespace kerf::fuzz

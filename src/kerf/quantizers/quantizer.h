// Quantizer: how scales, offsets and codes are chosen for a row of numbers, for any format. Knows nothing of
// models, nor of how the bytes are laid out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/formats/format.h"

namespace kerf {

/// Rounds n finite numbers (a multiple of format.block_size) into `dst` (format.row_bytes(n) bytes), making
/// Σ importance[i] (x[i] − x̂[i])² small; without importance (nullptr) the plain squared error. The format is
/// writable(). Deterministic: the same bytes on every machine.
void quantize_row(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                  std::size_t n) noexcept;

}  // namespace kerf

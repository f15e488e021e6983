// Scales for blocks of floating-point elements (FloatBlocks).
#pragma once

#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// quantize_row() for formats with FloatBlocks, whole blocks. Tries the scale by the rule of MX and one power
/// of two more, or those from the one that maps the largest number onto the largest element upwards within an
/// octave, where the mantissas of the others change; and scales that hold the numbers exactly.
void search_floats(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                   std::size_t n, const QuantizeOptions& options) noexcept;

}  // namespace kerf

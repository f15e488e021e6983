// The scale in front of a row (RowScale), chosen by what is left after the blocks behind it were quantized.
#pragma once

#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// quantize_row() for formats with a row_scale. Tries scales from the one that clips nothing down to the one
/// that keeps least_range of the largest magnitude, refits the best by least squares to the codes it led to,
/// and keeps whichever leaves the least error.
void search_row_scale(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                      std::size_t n, const QuantizeOptions& options) noexcept;

}  // namespace kerf

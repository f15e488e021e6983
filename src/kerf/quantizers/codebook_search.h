// Levels and codes for formats with a codebook of their own per row or block: weighted k-means on a line.
#pragma once

#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// quantize_row() for formats with a codebook. Levels are the optimal ones (kmeans1d.h), rounded to what the
/// format holds; codes are chosen for the rounded ones. Effort 0 settles for a local optimum.
void search_codebook(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                     std::size_t n, const QuantizeOptions& options) noexcept;

}  // namespace kerf

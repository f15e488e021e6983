// Search for formats with a VectorGrid: scales, points, signs and shifts of all groups that share a factor.
#pragma once

#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// Whether search_vectors() is for this format: its blocks are vectors, with or without a scale per row.
[[nodiscard]] bool has_vectors(const Format& format) noexcept;

/// quantize_row() for these formats.
///
/// For each group a list of scales is tried, each fitted to the codes it leads to by least squares. The
/// factor is then chosen such that the scales that can be stored lie near the fitted ones; groups try the
/// neighbouring scale codes, the factor is fitted to all codes, rounded, and groups try once more. What
/// leaves the least error is kept.
void search_vectors(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                    std::size_t n, const QuantizeOptions& options) noexcept;

}  // namespace kerf

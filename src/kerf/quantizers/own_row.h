// Rows that already lie on the grids of a format with a row scale.
#pragma once

#include "kerf/formats/format.h"

namespace kerf {

/// Replaces a row that a search has found for x [n] by one that decodes to exactly x, if there is one with a
/// row scale near that of the search. The blocks behind the scale have a Grid.
void restore_row(const Format& format, const float* x, std::size_t n, std::uint8_t* row) noexcept;

}  // namespace kerf

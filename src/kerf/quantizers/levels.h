// The levels of a grid in the form that searches use: the nearest level of any number, without branches.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/formats/format.h"

namespace kerf {

/// Evenly spaced integers lo … hi: the nearest is a rounding.
struct UniformLevels {
  float lo, hi;
};

/// Levels at any distance: the nearest is found by counting the midpoints that lie below.
struct TableLevels {
  static constexpr std::size_t kMax = 16;
  std::size_t n;
  float lowest;
  float midpoint[kMax - 1];  ///< between level c and c + 1
  float rise[kMax - 1];      ///< from level c to c + 1
};

/// Levels of a grid; which of the two members is filled is told by `is_uniform`.
struct Levels {
  explicit Levels(const Grid& grid) noexcept;

  [[nodiscard]] float lo() const noexcept { return uniform.lo; }
  [[nodiscard]] float hi() const noexcept { return uniform.hi; }
  /// Level −v exists for each level v.
  [[nodiscard]] bool mirrored() const noexcept { return uniform.lo == -uniform.hi; }

  bool is_uniform;
  std::size_t n;
  UniformLevels uniform;  ///< lo and hi hold for tables as well
  TableLevels table;
};

}  // namespace kerf

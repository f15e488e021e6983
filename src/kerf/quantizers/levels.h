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
  std::size_t n_midpoints;
  float lowest;
  float midpoint[kMax - 1];  ///< between level c and c + 1
  float rise[kMax - 1];      ///< from level c to c + 1
};

/// A zero and, on both sides of it, the same levels at any distance: half the midpoints do.
struct MirroredLevels {
  TableLevels positive;  ///< from zero upwards
};

/// Floating point of few bits, ± up to `hi`: the nearest is a rounding to its mantissa, below the smallest
/// normal number a rounding to a multiple of the smallest of all.
struct MinifloatLevels {
  float hi;
  float smallest_normal;
  int mantissa_bits;
  float magic;  ///< 1.5·2^23 steps, where steps are those of numbers from 1 to 2
  int n_positive;
};

/// Levels of a grid, by kind.
struct Levels {
  enum class Kind : std::uint8_t { uniform, table, mirrored, minifloat };

  explicit Levels(const Grid& grid) noexcept;

  [[nodiscard]] float lo() const noexcept { return uniform.lo; }
  [[nodiscard]] float hi() const noexcept { return uniform.hi; }
  /// For each level v there is −v.
  [[nodiscard]] bool symmetric() const noexcept { return uniform.lo == -uniform.hi; }

  Kind kind;
  UniformLevels uniform;      ///< lo and hi hold for the other kinds as well
  TableLevels table;          ///< of kind `table`
  MirroredLevels mirrored;    ///< of kind `mirrored`
  MinifloatLevels minifloat;  ///< of kind `minifloat`
};

}  // namespace kerf

// VectorGrid: the grid of a block format whose codes stand for 4 or 8 numbers at once.
//
// A block is cut into cells of 8 numbers: one point of 8 coordinates, or two of 4. A cell decodes to
//
//   x = factor · multipliers[scale] · (±point + shift)
//
// where `scale` is a code that the cells of a group share, the signs are per number, and the shift, where a
// format has one, is +shift or −shift for a run of cells.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace kerf {

/// What a block of a vector format holds, apart from its factor. Arrays of these sizes fit every format.
struct VectorCodes {
  static constexpr std::size_t kMaxGroups = 16;
  static constexpr std::size_t kMaxCells = 32;

  std::uint8_t scale[kMaxGroups];      ///< of group g: which multiplier
  std::uint16_t point[kMaxCells][2];   ///< of cell c: one index, or two where points have 4 coordinates
  std::uint8_t negative[kMaxCells];    ///< of cell c: bit i set if number i of its points changes its sign
  std::uint8_t shift_down[kMaxCells];  ///< of cell c: 1 if the shift is subtracted, 0 if it is added
};

struct VectorGrid {
  /// Numbers of a cell.
  static constexpr std::size_t kCell = 8;
  /// Most distinct coordinates of a codebook, after taking magnitudes where signs are stored apart.
  static constexpr std::size_t kMaxLevels = 8;

  enum class Signs : std::uint8_t {
    none,  ///< points are used as they are
    even,  ///< an even number of the eight signs of a cell change
    any,
  };

  std::uint32_t width;        ///< coordinates of a point: 4 or 8
  const std::int8_t* points;  ///< [n_points, width]
  std::uint32_t n_points;
  Signs signs;
  std::uint32_t group_cells;           ///< cells that share a scale
  std::span<const float> multipliers;  ///< positive, ascending
  float shift;                         ///< 0: none
  std::uint32_t shift_cells;           ///< cells that share the direction of the shift; divides group_cells
  /// The block holds a factor of its own. Otherwise its factor is 1 and that of the row (RowScale) does the
  /// work.
  bool has_factor;

  /// Writes a block and returns the factor that decode() will use: the nearest that the block can hold. It is
  /// finite and not negative. Codes are as load() returns them: `even` signs are even, cells that share a
  /// shift agree on it.
  float (*store)(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept;
  /// Reads factor and codes back. decode() equals the equation above on what this returns, rounded to
  /// binary32 once.
  float (*load)(const std::uint8_t* block, VectorCodes& codes) noexcept;

  [[nodiscard]] constexpr std::size_t points_per_cell() const noexcept { return kCell / width; }
};

namespace formats {

/// The coordinates of a codebook row by row.
template <std::size_t kPoints, std::size_t kWidth>
constexpr const std::int8_t* coordinates(
    const std::array<std::array<std::int8_t, kWidth>, kPoints>& points) noexcept {
  return points[0].data();
}

/// first, first + step, …
template <std::size_t N>
constexpr std::array<float, N> even_steps(float first, float step) noexcept {
  std::array<float, N> values{};
  for (std::size_t i = 0; i < N; ++i) values[i] = first + step * static_cast<float>(i);
  return values;
}

/// Scales of groups 2j and 2j + 1 of 16 in the low and high nibble of byte j.
inline void store_scale_nibbles(const VectorCodes& codes, std::uint8_t* bytes) noexcept {
  for (std::size_t j = 0; j < 8; ++j)
    bytes[j] = static_cast<std::uint8_t>(codes.scale[2 * j] | codes.scale[2 * j + 1] << 4);
}

inline void load_scale_nibbles(const std::uint8_t* bytes, VectorCodes& codes) noexcept {
  for (std::size_t g = 0; g < 16; ++g) codes.scale[g] = bytes[g / 2] >> 4 * (g % 2) & 15;
}

}  // namespace formats
}  // namespace kerf

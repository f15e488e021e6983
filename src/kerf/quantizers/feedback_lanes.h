// Rows side by side for error feedback: number j of row r is x[j][r], so that what one column does to
// another is the same few instructions for all rows, no sum is ever reordered, and a row gets the same bits
// wherever it lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kerf/formats/format.h"
#include "kerf/quantizers/lanes.h"

namespace kerf {

/// Rows that are worked on together: 1500 columns of them fit the second cache twice.
inline constexpr std::size_t kPieceRows = 32;
/// One number of each row.
struct alignas(64) Column {
  float lane[kPieceRows];

  float& operator[](std::size_t r) noexcept { return lane[r]; }
  const float& operator[](std::size_t r) const noexcept { return lane[r]; }
};

/// x[j] −= Σ m[j · stride + i] · e[i] over first <= i < last, for from <= j < to.
void subtract_products(Column* x, const Column* e, const float* m, std::size_t stride, std::size_t from,
                       std::size_t to, std::size_t first, std::size_t last) noexcept;

/// x[j][r] = rows[r · n_cols + j]; lanes from n_rows on become 0.
void rows_to_columns(const float* rows, std::size_t n_rows, std::size_t n_cols, Column* x) noexcept;

/// d·M·dᵀ of each row, for a symmetric m [n, n].
void quadratic_forms(const Column* d, const float* m, std::size_t n, double* form) noexcept;

/// The levels of a grid for lanes: the nearest of each number and its code.
class LaneLevels {
 public:
  explicit LaneLevels(std::span<const float> levels, bool uniform) noexcept;

  /// back = scale · level + offset of the level nearest to (x − offset) · inverse.
  void round(const Column& x, const Column& inverse, const Column& scale, const Column& offset, Column& back,
             std::uint8_t* codes) const noexcept;
  [[nodiscard]] float operator[](std::size_t code) const noexcept { return levels_[code]; }

 private:
  static constexpr std::size_t kFew = 16;
  std::span<const float> levels_;
  bool uniform_;
  float midpoints_[256];
};

}  // namespace kerf

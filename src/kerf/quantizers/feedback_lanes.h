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

/// A sum of each row.
struct alignas(64) Sums {
  double lane[kPieceRows];

  double& operator[](std::size_t r) noexcept { return lane[r]; }
  const double& operator[](std::size_t r) const noexcept { return lane[r]; }
};

/// A part of a row-major matrix: element (j, i) is at[j · stride + i].
struct MatrixView {
  const float* at;
  std::size_t stride;

  [[nodiscard]] MatrixView from(std::size_t row, std::size_t column) const noexcept {
    return {at + row * stride + column, stride};
  }
};

/// x[j] −= Σ m(j, i) · e[i] over i < n, for j < n_columns.
void subtract_products(Column* x, std::size_t n_columns, const Column* e, std::size_t n,
                       MatrixView m) noexcept;

/// x[j] = rows[· n_cols + j]; lanes from n_rows on become 0.
void rows_to_columns(const float* rows, std::size_t n_rows, std::size_t n_cols, Column* x) noexcept;

/// Σ a[j] · b[j] over j < n.
void products(const Column* a, const Column* b, std::size_t n, Sums& sums) noexcept;

/// d·M·dᵀ for a symmetric M, which is m [n, n] below its diagonal [n].
void quadratic_forms(const Column* d, MatrixView m, const float* diagonal, std::size_t n,
                     Sums& forms) noexcept;

/// What a group's levels are multiplied with and moved by.
struct Line {
  Column scale, inverse, offset;  ///< inverse: 1 / scale, or 0

  void set(std::size_t row, float new_scale, float new_offset) noexcept;
};

/// The levels of a grid for lanes: the nearest of each number and its code.
class LaneLevels {
 public:
  explicit LaneLevels(std::span<const float> levels, bool uniform) noexcept;

  /// Codes of the levels nearest to (x − offset) / scale, and back = scale · level + offset.
  void round(const Column& x, const Line& line, Column& back, std::uint8_t* codes) const noexcept;
  [[nodiscard]] float operator[](std::size_t code) const noexcept { return levels_[code]; }

 private:
  std::span<const float> levels_;
  bool uniform_;
  float midpoints_[255];  ///< between level c and c + 1
};

}  // namespace kerf

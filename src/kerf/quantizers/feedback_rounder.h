// How a piece of rows is rounded to a format while error feedback walks through its columns: one class per
// kind of format, made by make_piece_rounder().
#pragma once

#include <memory>

#include "kerf/quantizers/feedback_lanes.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// Rounds up to kPieceRows rows of n_cols numbers in step. A row is cut into blocks, those into units:
/// columns that are rounded at once. Blocks at the end of a row may reach beyond it; such numbers count
/// nothing.
class PieceRounder {
 public:
  virtual ~PieceRounder() = default;

  /// Columns of a unit; divides those of a block.
  [[nodiscard]] virtual std::size_t unit() const noexcept { return 1; }

  /// Starts with these bytes [n_rows, row_bytes]: what quantize_row() made of the rows.
  virtual void begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t n_rows) = 0;

  /// Chooses scales, offsets or levels of block b for the numbers x [block_size] of weights w [block_size].
  virtual void choose_parameters(std::size_t b, const Column* x, const float* w) = 0;

  /// Rounds unit u, columns u·unit …, for targets x [unit] of weights w [unit], to back [unit].
  virtual void round(std::size_t u, const Column* x, const float* w, Column* back) = 0;

  /// Writes what the row was rounded to last.
  virtual void store(std::size_t row, std::uint8_t* dst) const = 0;
};

/// For the blocks of `format`: those behind a scale per row, where it has one. nullptr if there is no
/// feedback for this format.
[[nodiscard]] std::unique_ptr<PieceRounder> make_piece_rounder(const Format& format, std::size_t n_cols,
                                                               const QuantizeOptions& options);

}  // namespace kerf

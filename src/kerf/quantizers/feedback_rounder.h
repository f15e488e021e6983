// How a piece of rows is rounded to the blocks of a format while error feedback walks through its columns:
// one class per kind of format.
#pragma once

#include <memory>
#include <vector>

#include "kerf/quantizers/feedback_lanes.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// What the numbers of a block have in common: number i of group g is scale[g] · basis[i] + offset[g].
struct BlockParameters {
  float scale[Grid::kMaxGroups];
  float offset[Grid::kMaxGroups];
};

/// Rounds kPieceRows rows of n_cols numbers in step. A row is cut into blocks, those into units: columns that
/// are rounded at once. Numbers of the last block that lie beyond the row count nothing.
class PieceRounder {
 public:
  /// `blocks` has no header of its own.
  PieceRounder(const Format& blocks, std::size_t n_cols);
  virtual ~PieceRounder() = default;
  PieceRounder(const PieceRounder&) = delete;
  PieceRounder& operator=(const PieceRounder&) = delete;

  [[nodiscard]] std::size_t block_size() const noexcept { return blocks_.block_size; }
  [[nodiscard]] std::size_t block_bytes() const noexcept { return blocks_.block_bytes; }
  [[nodiscard]] std::size_t n_blocks() const noexcept { return n_blocks_; }
  /// Columns of a unit; divides those of a block.
  [[nodiscard]] virtual std::size_t unit() const noexcept { return 1; }
  /// Groups of a block that have parameters; 0: none that could be refined.
  [[nodiscard]] virtual std::size_t n_groups() const noexcept { return 0; }
  [[nodiscard]] virtual bool has_offset() const noexcept { return false; }

  /// Starts with the parameters that quantize_row() chose: n_rows rows of header_bytes and blocks.
  virtual void begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t header_bytes,
                     std::size_t n_rows);

  /// Chooses new parameters of block b for the numbers x [block_size] of weights w [block_size].
  virtual void choose_parameters(std::size_t b, const Column* x, const float* w) = 0;
  /// What was chosen for a row.
  virtual void parameters(std::size_t /*b*/, std::size_t /*row*/, BlockParameters& /*chosen*/) const {}
  /// Has them replaced by the nearest that can be stored.
  virtual void set_parameters(std::size_t /*b*/, std::size_t /*row*/, BlockParameters& /*wanted*/) {}

  /// Rounds unit u, columns u · unit …, of which n are in the row, such that (x − back)·M·(x − back)ᵀ is
  /// small for the targets x [n] and the metric m [n, n]. Writes back [n] and remembers the codes.
  virtual void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) = 0;
  /// The same for a unit that is rounded to `back` already, and stays there if nothing better is found.
  virtual void improve(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) {
    round(u, x, n, m, back);
  }
  /// What scales are multiplied with [block_size], for the codes of block b.
  virtual void basis(std::size_t /*b*/, Column* /*values*/) const {}

  /// The bytes of block b: parameters count, codes do not. After writing to them call load_parameters().
  [[nodiscard]] std::uint8_t* block(std::size_t b, std::size_t row) noexcept {
    return &bytes_[(b * kPieceRows + row) * blocks_.block_bytes];
  }
  [[nodiscard]] const std::uint8_t* block(std::size_t b, std::size_t row) const noexcept {
    return &bytes_[(b * kPieceRows + row) * blocks_.block_bytes];
  }
  virtual void load_parameters(std::size_t b, std::size_t row) = 0;

  /// Writes the blocks of a row with the codes that it was rounded to last.
  virtual void store(std::size_t row, std::uint8_t* dst) const = 0;

 protected:
  const Format& blocks_;
  const std::size_t n_cols_;
  const std::size_t n_blocks_;

 private:
  std::vector<std::uint8_t> bytes_;  // [n_blocks, kPieceRows, block_bytes]
};

/// For the blocks of a writable format: those behind a scale per row, where it has one.
[[nodiscard]] std::unique_ptr<PieceRounder> make_piece_rounder(const Format& format, std::size_t n_cols,
                                                               const QuantizeOptions& options);

}  // namespace kerf

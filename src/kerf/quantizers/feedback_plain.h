// PieceRounders for numbers that their format rounds by itself (Format::encode_plain), and for blocks of
// floating-point elements (FloatBlocks).
#pragma once

#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

/// Numbers that have nothing in common.
class PlainRounder final : public PieceRounder {
 public:
  /// `blocks` rounds each number alone, whatever its block_size is.
  PlainRounder(const Format& blocks, std::size_t n_cols);

  void begin(const std::uint8_t*, std::size_t, std::size_t, std::size_t) override {}
  void load_parameters(std::size_t, std::size_t) override {}
  void choose_parameters(std::size_t, const Column*, const float*) override {}
  void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  std::vector<Column> back_;         ///< [n_cols]
  std::vector<float> numbers_;       ///< a column, to whole blocks
  std::vector<std::uint8_t> coded_;  ///< the same
};

/// Blocks of elements of 8 bits, or of 6 in one little-endian string of bits, behind a scale of the
/// block's own: x = scale · (what the element stands for).
class ElementRounder final : public PieceRounder {
 public:
  ElementRounder(const Format& blocks, std::size_t n_cols);

  void load_parameters(std::size_t b, std::size_t row) override;
  void choose_parameters(std::size_t b, const Column* x, const float* w) override;
  void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  /// What elements stand for, ascending, in units of some scale, and the element of each.
  struct Elements {
    explicit Elements(const Format& blocks);
    unsigned bits;
    std::size_t at;  ///< in a block
    std::vector<float> value;
    std::vector<std::uint8_t> code;
  };

  void put(std::size_t i, std::uint8_t element, std::uint8_t* block) const noexcept;

  const Elements elements_;
  LaneLevels levels_;
  std::vector<Line> lines_;          ///< [n_blocks]
  std::vector<std::uint8_t> codes_;  ///< of levels [n_blocks · block_size, kPieceRows]
};

}  // namespace kerf

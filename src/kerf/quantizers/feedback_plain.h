// PieceRounders for numbers whose format rounds them by itself (Format::encode_plain).
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

/// Blocks whose scale follows from the largest of their numbers. That number is pinned: it keeps the value
/// that it had when the scale was chosen, so that the rest can be rounded one by one on the same scale.
class PinnedRounder final : public PieceRounder {
 public:
  PinnedRounder(const Format& blocks, std::size_t n_cols);

  void load_parameters(std::size_t b, std::size_t row) override;
  void choose_parameters(std::size_t b, const Column* x, const float* w) override;
  void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  struct Pin {
    std::size_t place;  ///< in its block
    float value;
  };
  std::vector<Pin> pins_;     ///< [n_blocks, kPieceRows]
  std::vector<Column> back_;  ///< [n_blocks · block_size]
  std::vector<float> numbers_;
  std::vector<std::uint8_t> coded_;
};

}  // namespace kerf

// PieceRounder for formats with a Grid: the levels of a column are those of its group.
#pragma once

#include "kerf/quantizers/block_search.h"
#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

class GridRounder final : public PieceRounder {
 public:
  GridRounder(const Format& blocks, std::size_t n_cols, const QuantizeOptions& options);

  [[nodiscard]] std::size_t n_groups() const noexcept override { return grid_.n_groups; }
  [[nodiscard]] bool has_offset() const noexcept override { return grid_.has_offset; }
  void choose_parameters(std::size_t b, const Column* x, const float* w) override;
  void parameters(std::size_t b, std::size_t row, BlockParameters& chosen) const override;
  void set_parameters(std::size_t b, std::size_t row, BlockParameters& wanted) override;
  void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void basis(std::size_t b, Column* values) const override;
  void load_parameters(std::size_t b, std::size_t row) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  const Grid& grid_;
  const std::size_t group_size_;
  LaneLevels levels_;
  BlockSearch search_;
  std::vector<Line> lines_;          ///< [n_blocks · n_groups]
  std::vector<std::uint8_t> codes_;  ///< [n_blocks · block_size, kPieceRows]
  std::vector<float> numbers_;       ///< as many blocks as are searched at once
  std::vector<float> weights_;
};

}  // namespace kerf

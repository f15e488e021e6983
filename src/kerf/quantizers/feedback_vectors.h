// PieceRounder for formats with a VectorGrid: cells of eight columns are rounded at once.
#pragma once

#include "kerf/formats/vector_grid.h"
#include "kerf/quantizers/cell_search.h"
#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

class VectorRounder final : public PieceRounder {
 public:
  VectorRounder(const Format& blocks, std::size_t n_cols, const QuantizeOptions& options);

  [[nodiscard]] std::size_t unit() const noexcept override { return VectorGrid::kCell; }
  [[nodiscard]] std::size_t n_groups() const noexcept override { return n_groups_; }
  void choose_parameters(std::size_t b, const Column* x, const float* w) override;
  void parameters(std::size_t b, std::size_t row, BlockParameters& chosen) const override;
  void set_parameters(std::size_t b, std::size_t row, BlockParameters& wanted) override;
  void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void improve(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void basis(std::size_t b, Column* values) const override;
  void load_parameters(std::size_t b, std::size_t row) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  static constexpr std::size_t kCell = VectorGrid::kCell;

  /// Of one row. Codes of cells are those of the last rounding.
  struct BlockCodes {
    float factor;
    VectorCodes codes;
  };
  /// One cell of a row on its way to a code, in units of its scale.
  struct Wanted {
    float x[kCell];     ///< the target
    float near[kCell];  ///< what the codebook is asked for
    float scale;
    float inverse_unit;  ///< a power of two; 0 where there is no scale
  };

  [[nodiscard]] BlockCodes& at(std::size_t b, std::size_t row) noexcept {
    return codes_[b * kPieceRows + row];
  }
  [[nodiscard]] const BlockCodes& at(std::size_t b, std::size_t row) const noexcept {
    return codes_[b * kPieceRows + row];
  }
  [[nodiscard]] float scale(const BlockCodes& block, std::size_t g) const noexcept {
    return block.factor * grid_.multipliers[block.codes.scale[g]];
  }
  struct MultiplierTrial {
    std::size_t row;
    int code;
    float error;
  };
  void choose_multipliers(std::size_t b, const Column* x, const float* w);
  void try_multipliers(std::size_t b, const Column* x, const float* w,
                       std::vector<MultiplierTrial>& trials) const;
  void load_targets(std::size_t u, const Column* x, std::size_t n) noexcept;
  void ask(std::size_t u, const float* w, CellAnswer* best) const noexcept;
  void take(std::size_t u, std::size_t row, const CellAnswer& answer, std::size_t n, Column* back) noexcept;
  void step(std::size_t u, std::size_t n, MatrixView m, Column* back);

  const VectorGrid& grid_;
  const CellSearch& cells_;
  const QuantizeOptions options_;
  const int n_flips_;              ///< CellSearch::nearest()
  const std::size_t n_groups_;     ///< of a block
  const std::size_t n_cells_;      ///< of a block
  std::vector<BlockCodes> codes_;  ///< [n_blocks, kPieceRows]
  std::vector<Column> values_;     ///< [n_blocks · block_size]: ±point + shift
  Wanted wanted_[kPieceRows];
};

}  // namespace kerf

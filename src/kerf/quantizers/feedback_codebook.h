// PieceRounder for formats with a codebook of their own per row or block.
#pragma once

#include "kerf/formats/codebook.h"
#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

class CodebookRounder final : public PieceRounder {
 public:
  CodebookRounder(const Format& format, std::size_t n_cols, const QuantizeOptions& options);

  void begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t header_bytes,
             std::size_t n_rows) override;
  void load_parameters(std::size_t b, std::size_t row) override;
  void choose_parameters(std::size_t b, const Column* x, const float* w) override;
  void round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  struct Levels {
    float level[Codebook::kMaxLevels];
    float midpoint[Codebook::kMaxLevels];  ///< above each level; infinite above the last
  };

  void load_levels(const std::uint8_t* place, Levels& levels) const noexcept;
  [[nodiscard]] const Levels& levels_of(std::size_t b, std::size_t row) const noexcept {
    return levels_[(codebook_.per_row ? 0 : b * kPieceRows) + row];
  }

  const Codebook& codebook_;
  const QuantizeOptions options_;
  std::vector<Levels> levels_;       ///< [1 or n_blocks, kPieceRows]
  std::vector<std::uint8_t> codes_;  ///< [n_blocks · block_size, kPieceRows]
};

}  // namespace kerf

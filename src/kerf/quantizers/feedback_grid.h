// PieceRounder for formats with a Grid.
#pragma once

#include <vector>

#include "kerf/quantizers/block_search.h"
#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

class GridRounder final : public PieceRounder {
 public:
  GridRounder(const Format& format, std::size_t n_cols, const QuantizeOptions& options);

  void begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t n_rows) override;
  void choose_parameters(std::size_t b, const Column* x, const float* w) override;
  void round(std::size_t u, const Column* x, const float* w, Column* back) override;
  void store(std::size_t row, std::uint8_t* dst) const override;

 private:
  /// Parameters of a group, of each row.
  struct Group {
    Column scale, inverse, offset;
  };

  [[nodiscard]] std::uint8_t* block(std::size_t b, std::size_t row) noexcept {
    return &blocks_[(b * kPieceRows + row) * format_.block_bytes];
  }
  void load_parameters(std::size_t b) noexcept;

  const Format& format_;
  const Grid& grid_;
  const std::size_t group_size_;
  const std::size_t n_blocks_;  ///< of a row
  LaneLevels levels_;
  BlockSearch search_;
  std::vector<std::uint8_t> blocks_;  ///< [n_blocks, kPieceRows, block_bytes], of which parameters count
  std::vector<Group> groups_;         ///< [n_blocks · n_groups]
  std::vector<std::uint8_t> codes_;   ///< [n_blocks · block_size, kPieceRows]
  std::vector<float> numbers_;        ///< as many blocks as are searched at once
  std::vector<float> weights_;
};

}  // namespace kerf

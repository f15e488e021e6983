#include "kerf/quantizers/feedback_grid.h"

#include <algorithm>
#include <cstring>

namespace kerf {

GridRounder::GridRounder(const Format& blocks, std::size_t n_cols, const QuantizeOptions& options)
    : PieceRounder(blocks, n_cols),
      grid_(*blocks.grid),
      group_size_(blocks.block_size / grid_.n_groups),
      levels_(grid_.levels, grid_.uniform),
      search_(blocks, options.effort, true),
      lines_(n_blocks_ * grid_.n_groups),
      codes_(n_blocks_ * blocks.block_size * kPieceRows),
      numbers_(search_.blocks_at_once() * blocks.block_size),
      weights_(numbers_.size()) {}

void GridRounder::choose_parameters(std::size_t b, const Column* x, const float* w) {
  const std::size_t size = blocks_.block_size;
  const std::size_t at_once = search_.blocks_at_once();
  for (std::size_t k = 0; k < at_once; ++k) std::copy_n(w, size, &weights_[k * size]);
  for (std::size_t r = 0; r < kPieceRows; r += at_once) {
    const std::size_t n = std::min(at_once, kPieceRows - r);
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t i = 0; i < size; ++i) numbers_[k * size + i] = x[i][r + k];
    search_.choose_parameters(numbers_.data(), weights_.data(), n, block(b, r));
  }
  for (std::size_t r = 0; r < kPieceRows; ++r) load_parameters(b, r);
}

void GridRounder::load_parameters(std::size_t b, std::size_t row) {
  BlockParameters stored;
  std::uint8_t codes[Grid::kMaxBlock];
  grid_.load(block(b, row), stored.scale, stored.offset, codes);
  for (std::size_t g = 0; g < grid_.n_groups; ++g)
    lines_[b * grid_.n_groups + g].set(row, stored.scale[g], stored.offset[g]);
}

void GridRounder::parameters(std::size_t b, std::size_t row, BlockParameters& chosen) const {
  for (std::size_t g = 0; g < grid_.n_groups; ++g) {
    const Line& line = lines_[b * grid_.n_groups + g];
    chosen.scale[g] = line.scale[row];
    chosen.offset[g] = line.offset[row];
  }
}

void GridRounder::set_parameters(std::size_t b, std::size_t row, BlockParameters& wanted) {
  grid_.store_parameters(wanted.scale, wanted.offset, block(b, row));
  for (std::size_t g = 0; g < grid_.n_groups; ++g)
    lines_[b * grid_.n_groups + g].set(row, wanted.scale[g], wanted.offset[g]);
}

void GridRounder::round(std::size_t u, const Column* x, std::size_t /*n*/, MatrixView /*m*/, Column* back) {
  levels_.round(x[0], lines_[u / group_size_], back[0], &codes_[u * kPieceRows]);
}

void GridRounder::basis(std::size_t b, Column* values) const {
  const std::uint8_t* codes = &codes_[b * blocks_.block_size * kPieceRows];
  for (std::size_t i = 0; i < blocks_.block_size; ++i, codes += kPieceRows)
    for (std::size_t r = 0; r < kPieceRows; ++r) values[i][r] = levels_[codes[r]];
}

void GridRounder::store(std::size_t row, std::uint8_t* dst) const {
  std::uint8_t codes[Grid::kMaxBlock];
  for (std::size_t b = 0; b < n_blocks_; ++b, dst += blocks_.block_bytes) {
    std::memcpy(dst, block(b, row), blocks_.block_bytes);
    for (std::size_t i = 0; i < blocks_.block_size; ++i)
      codes[i] = codes_[(b * blocks_.block_size + i) * kPieceRows + row];
    grid_.store_codes(codes, dst);
  }
}

}  // namespace kerf

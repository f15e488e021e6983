// Error feedback for formats with a Grid: a column's levels are those of its group.
#include "kerf/quantizers/feedback_grid.h"

#include <algorithm>
#include <cstring>

namespace kerf {

GridRounder::GridRounder(const Format& format, std::size_t n_cols, const QuantizeOptions& options)
    : format_(format),
      grid_(*format.grid),
      group_size_(format.block_size / grid_.n_groups),
      n_blocks_((n_cols + format.block_size - 1) / format.block_size),
      levels_(grid_.levels, grid_.uniform),
      search_(format, options.effort, true),
      blocks_(n_blocks_ * kPieceRows * format.block_bytes),
      groups_(n_blocks_ * grid_.n_groups),
      codes_(n_blocks_ * format.block_size * kPieceRows),
      numbers_(search_.blocks_at_once() * format.block_size),
      weights_(numbers_.size()) {}

void GridRounder::begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t n_rows) {
  std::fill(blocks_.begin(), blocks_.end(), std::uint8_t{0});
  for (std::size_t r = 0; r < n_rows; ++r)
    for (std::size_t b = 0; b < n_blocks_; ++b)
      std::memcpy(block(b, r), rows + r * row_bytes + b * format_.block_bytes, format_.block_bytes);
  for (std::size_t b = 0; b < n_blocks_; ++b) load_parameters(b);
}

void GridRounder::choose_parameters(std::size_t b, const Column* x, const float* w) {
  const std::size_t size = format_.block_size;
  const std::size_t at_once = search_.blocks_at_once();
  for (std::size_t k = 0; k < at_once; ++k) std::copy_n(w, size, &weights_[k * size]);
  for (std::size_t r = 0; r < kPieceRows; r += at_once) {
    const std::size_t n = std::min(at_once, kPieceRows - r);
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t i = 0; i < size; ++i) numbers_[k * size + i] = x[i][r + k];
    search_.choose_parameters(numbers_.data(), weights_.data(), n, block(b, r));
  }
  load_parameters(b);
}

void GridRounder::load_parameters(std::size_t b) noexcept {
  float scale[Grid::kMaxGroups];
  float offset[Grid::kMaxGroups];
  std::uint8_t codes[Grid::kMaxBlock];
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    grid_.load(block(b, r), scale, offset, codes);
    for (std::size_t g = 0; g < grid_.n_groups; ++g) {
      Group& group = groups_[b * grid_.n_groups + g];
      group.scale[r] = scale[g];
      group.inverse[r] = safe_inverse(scale[g]);
      group.offset[r] = offset[g];
    }
  }
}

void GridRounder::round(std::size_t u, const Column* x, const float* /*w*/, Column* back) {
  const Group& group = groups_[u / group_size_];
  levels_.round(x[0], group.inverse, group.scale, group.offset, back[0], &codes_[u * kPieceRows]);
}

void GridRounder::store(std::size_t row, std::uint8_t* dst) const {
  std::uint8_t codes[Grid::kMaxBlock];
  for (std::size_t b = 0; b < n_blocks_; ++b, dst += format_.block_bytes) {
    std::memcpy(dst, &blocks_[(b * kPieceRows + row) * format_.block_bytes], format_.block_bytes);
    for (std::size_t i = 0; i < format_.block_size; ++i)
      codes[i] = codes_[(b * format_.block_size + i) * kPieceRows + row];
    grid_.store_codes(codes, dst);
  }
}

}  // namespace kerf

#include "kerf/quantizers/feedback_rounder.h"

#include <algorithm>
#include <cstring>

#include "kerf/base/check.h"
#include "kerf/quantizers/feedback_codebook.h"
#include "kerf/quantizers/feedback_grid.h"
#include "kerf/quantizers/feedback_plain.h"
#include "kerf/quantizers/feedback_vectors.h"

namespace kerf {

PieceRounder::PieceRounder(const Format& blocks, std::size_t n_cols)
    : blocks_(blocks),
      n_cols_(n_cols),
      n_blocks_((n_cols + blocks.block_size - 1) / blocks.block_size),
      bytes_(n_blocks_ * kPieceRows * blocks.block_bytes) {}

void PieceRounder::begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t header_bytes,
                         std::size_t n_rows) {
  std::fill(bytes_.begin(), bytes_.end(), std::uint8_t{0});
  for (std::size_t r = 0; r < n_rows; ++r)
    for (std::size_t b = 0; b < n_blocks_; ++b)
      std::memcpy(block(b, r), rows + r * row_bytes + header_bytes + b * blocks_.block_bytes,
                  blocks_.block_bytes);
  for (std::size_t b = 0; b < n_blocks_; ++b)
    for (std::size_t r = 0; r < kPieceRows; ++r) load_parameters(b, r);
}

std::unique_ptr<PieceRounder> make_piece_rounder(const Format& format, std::size_t n_cols,
                                                 const QuantizeOptions& options) {
  const Format& blocks = format.row_scale != nullptr ? *format.row_scale->inner : format;
  if (blocks.grid != nullptr) return std::make_unique<GridRounder>(blocks, n_cols, options);
  if (blocks.vectors != nullptr) return std::make_unique<VectorRounder>(blocks, n_cols, options);
  if (blocks.codebook != nullptr) return std::make_unique<CodebookRounder>(blocks, n_cols, options);
  if (blocks.floats != nullptr) return std::make_unique<ElementRounder>(blocks, n_cols);
  KERF_CHECK(blocks.encode_plain != nullptr);
  return std::make_unique<PlainRounder>(blocks, n_cols);
}

}  // namespace kerf

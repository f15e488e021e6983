#include "kerf/quantizers/feedback_codebook.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace kerf {

CodebookRounder::CodebookRounder(const Format& format, std::size_t n_cols, const QuantizeOptions& options)
    : PieceRounder(format, n_cols),
      codebook_(*format.codebook),
      options_(options),
      levels_((codebook_.per_row ? 1 : n_blocks_) * kPieceRows),
      codes_(n_blocks_ * format.block_size * kPieceRows) {}

void CodebookRounder::begin(const std::uint8_t* rows, std::size_t row_bytes, std::size_t header_bytes,
                            std::size_t n_rows) {
  PieceRounder::begin(rows, row_bytes, header_bytes, n_rows);
  if (!codebook_.per_row) return;
  for (std::size_t r = 0; r < kPieceRows; ++r)
    load_levels(rows + std::min(r, n_rows - 1) * row_bytes, levels_[r]);
}

void CodebookRounder::load_levels(const std::uint8_t* place, Levels& levels) const noexcept {
  codebook_.load_levels(place, levels.level);
  for (std::size_t c = 0; c < Codebook::kMaxLevels; ++c)
    levels.midpoint[c] = c + 1 < codebook_.n_levels ? 0.5F * (levels.level[c] + levels.level[c + 1])
                                                    : std::numeric_limits<float>::infinity();
}

void CodebookRounder::load_parameters(std::size_t b, std::size_t row) {
  if (!codebook_.per_row) load_levels(block(b, row), levels_[b * kPieceRows + row]);
}

void CodebookRounder::choose_parameters(std::size_t b, const Column* x, const float* w) {
  if (codebook_.per_row) return;
  std::vector<float> numbers(blocks_.block_size);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = x[i][r];
    quantize_row(blocks_, numbers.data(), w, block(b, r), numbers.size(), options_);
    load_parameters(b, r);
  }
}

void CodebookRounder::round(std::size_t u, const Column* x, std::size_t /*n*/, MatrixView /*m*/,
                            Column* back) {
  const std::size_t b = u / blocks_.block_size;
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    const Levels& levels = levels_of(b, r);
    std::size_t code = 0;
    for (const float midpoint : levels.midpoint) code += x[0][r] > midpoint ? 1 : 0;
    codes_[u * kPieceRows + r] = static_cast<std::uint8_t>(code);
    back[0][r] = levels.level[code];
  }
}

void CodebookRounder::store(std::size_t row, std::uint8_t* dst) const {
  std::vector<std::uint8_t> codes(blocks_.block_size);
  for (std::size_t b = 0; b < n_blocks_; ++b, dst += blocks_.block_bytes) {
    std::memcpy(dst, block(b, row), blocks_.block_bytes);
    for (std::size_t i = 0; i < codes.size(); ++i)
      codes[i] = codes_[(b * codes.size() + i) * kPieceRows + row];
    codebook_.store_codes(codes.data(), dst);
  }
}

}  // namespace kerf

#include "kerf/quantizers/feedback_plain.h"

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"

namespace kerf {

PlainRounder::PlainRounder(const Format& blocks, std::size_t n_cols)
    : PieceRounder(blocks, n_cols),
      back_(n_cols),
      numbers_(round_up(kPieceRows, blocks.block_size)),
      coded_(blocks.row_bytes(numbers_.size())) {}

void PlainRounder::round(std::size_t u, const Column* x, std::size_t /*n*/, MatrixView /*m*/, Column* back) {
  std::copy_n(x[0].lane, kPieceRows, numbers_.begin());
  blocks_.encode_plain(numbers_.data(), coded_.data(), numbers_.size());
  blocks_.decode(coded_.data(), back[0].lane, kPieceRows);
  back_[u] = back[0];
}

void PlainRounder::store(std::size_t row, std::uint8_t* dst) const {
  std::vector<float> numbers(round_up(n_cols_, blocks_.block_size), 0.0F);
  for (std::size_t j = 0; j < n_cols_; ++j) numbers[j] = back_[j][row];
  blocks_.encode_plain(numbers.data(), dst, numbers.size());
}

PinnedRounder::PinnedRounder(const Format& blocks, std::size_t n_cols)
    : PieceRounder(blocks, n_cols),
      pins_(n_blocks_ * kPieceRows),
      back_(n_blocks_ * blocks.block_size),
      numbers_(blocks.block_size),
      coded_(blocks.block_bytes) {}

void PinnedRounder::load_parameters(std::size_t b, std::size_t row) {
  blocks_.decode(block(b, row), numbers_.data(), numbers_.size());
  const auto largest = std::max_element(numbers_.begin(), numbers_.end(),
                                        [](float x, float y) { return std::fabs(x) < std::fabs(y); });
  pins_[b * kPieceRows + row] = {static_cast<std::size_t>(largest - numbers_.begin()), *largest};
}

void PinnedRounder::choose_parameters(std::size_t b, const Column* x, const float* /*w*/) {
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    for (std::size_t i = 0; i < numbers_.size(); ++i) numbers_[i] = x[i][r];
    blocks_.encode_plain(numbers_.data(), block(b, r), numbers_.size());
    load_parameters(b, r);
  }
}

void PinnedRounder::round(std::size_t u, const Column* x, std::size_t /*n*/, MatrixView /*m*/, Column* back) {
  const std::size_t b = u / blocks_.block_size;
  const std::size_t place = u % blocks_.block_size;
  float pair[2];
  std::fill(numbers_.begin(), numbers_.end(), 0.0F);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    const Pin& pin = pins_[b * kPieceRows + r];
    const float most = std::fabs(pin.value);
    numbers_[0] = pin.value;
    numbers_[1] = std::clamp(x[0][r], -most, most);
    blocks_.encode_plain(numbers_.data(), coded_.data(), numbers_.size());
    blocks_.decode(coded_.data(), pair, 2);
    back[0][r] = place == pin.place ? pin.value : pair[1];
  }
  back_[u] = back[0];
}

// With its pin in place a block finds its scale again.
void PinnedRounder::store(std::size_t row, std::uint8_t* dst) const {
  std::vector<float> numbers(back_.size(), 0.0F);
  for (std::size_t j = 0; j < n_cols_; ++j) numbers[j] = back_[j][row];
  blocks_.encode_plain(numbers.data(), dst, numbers.size());
}

}  // namespace kerf

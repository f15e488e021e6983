#include "kerf/quantizers/feedback_plain.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

namespace {

void put_bits(unsigned value, unsigned n, std::size_t first, std::uint8_t* bytes) noexcept {
  for (unsigned i = 0; i < n; ++i) {
    std::uint8_t& byte = bytes[(first + i) / 8];
    const auto mask = static_cast<std::uint8_t>(1U << (first + i) % 8);
    byte = static_cast<std::uint8_t>((value >> i & 1U) != 0 ? byte | mask : byte & ~mask);
  }
}

}  // namespace

ElementRounder::Elements::Elements(const Format& blocks)
    : bits(blocks.block_bytes > blocks.block_size ? 8 : 6),
      at(blocks.block_bytes - blocks.block_size * bits / 8) {
  const std::vector<float> ones(blocks.block_size, 1.0F);
  std::vector<std::uint8_t> block(blocks.block_bytes);
  blocks.floats->encode(ones.data(), 1.0F, block.data());
  std::vector<std::pair<float, std::uint8_t>> all;
  for (unsigned element = 0; element < 1U << bits; ++element) {
    put_bits(element, bits, 0, &block[at]);
    float decoded;
    blocks.decode(block.data(), &decoded, 1);
    if (std::isfinite(decoded)) all.emplace_back(decoded, static_cast<std::uint8_t>(element));
  }
  std::sort(all.begin(), all.end());
  for (const auto& [decoded, element] : all) {
    if (!value.empty() && value.back() == decoded) continue;  // zeros of either sign
    value.push_back(decoded);
    code.push_back(element);
  }
}

ElementRounder::ElementRounder(const Format& blocks, std::size_t n_cols)
    : PieceRounder(blocks, n_cols),
      elements_(blocks),
      levels_(elements_.value, false),
      lines_(n_blocks_),
      codes_(n_blocks_ * blocks.block_size * kPieceRows) {}

// The scale, by what it makes of the largest element.
void ElementRounder::load_parameters(std::size_t b, std::size_t row) {
  put(0, elements_.code.back(), block(b, row));
  float largest;
  blocks_.decode(block(b, row), &largest, 1);
  lines_[b].set(row, largest / elements_.value.back(), 0.0F);
}

void ElementRounder::choose_parameters(std::size_t b, const Column* x, const float* /*w*/) {
  std::vector<float> numbers(blocks_.block_size);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = x[i][r];
    quantize_row(blocks_, numbers.data(), nullptr, block(b, r), numbers.size());
    load_parameters(b, r);
  }
}

void ElementRounder::put(std::size_t i, std::uint8_t element, std::uint8_t* block) const noexcept {
  put_bits(element, elements_.bits, i * elements_.bits, block + elements_.at);
}

void ElementRounder::round(std::size_t u, const Column* x, std::size_t /*n*/, MatrixView /*m*/,
                           Column* back) {
  levels_.round(x[0], lines_[u / blocks_.block_size], back[0], &codes_[u * kPieceRows]);
}

void ElementRounder::store(std::size_t row, std::uint8_t* dst) const {
  for (std::size_t b = 0; b < n_blocks_; ++b, dst += blocks_.block_bytes) {
    std::copy_n(block(b, row), blocks_.block_bytes, dst);
    for (std::size_t i = 0; i < blocks_.block_size; ++i)
      put(i, elements_.code[codes_[(b * blocks_.block_size + i) * kPieceRows + row]], dst);
  }
}

}  // namespace kerf

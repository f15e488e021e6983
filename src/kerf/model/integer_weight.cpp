#include "kerf/model/integer_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/formats/row_scaled.h"

namespace kerf {
namespace {

bool is_level(float value) {
  return value == std::nearbyint(value) && std::abs(value) <= 256;
}

bool has_integer_levels(const Format& blocks) {
  return blocks.grid != nullptr &&
         std::all_of(blocks.grid->levels.begin(), blocks.grid->levels.end(), is_level);
}

/// Elements without a scale of their own, as behind the scale of a row: whatever the bytes are.
bool has_integer_elements(const Format& blocks) {
  if (blocks.grid != nullptr || blocks.codebook != nullptr || blocks.vectors != nullptr ||
      blocks.floats != nullptr || blocks.block_size > Grid::kMaxBlock)
    return false;
  float numbers[Grid::kMaxBlock];
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::vector<std::uint8_t> block(blocks.block_bytes, static_cast<std::uint8_t>(byte));
    blocks.decode(block.data(), numbers, blocks.block_size);
    if (!std::all_of(numbers, numbers + blocks.block_size, is_level)) return false;
  }
  return true;
}

/// Scales and offsets are left alone where the blocks have none.
void load_block(const Format& blocks, const std::uint8_t* block, float* scales, float* offsets,
                std::int32_t* dst) {
  if (blocks.grid == nullptr) {
    float numbers[Grid::kMaxBlock];
    blocks.decode(block, numbers, blocks.block_size);
    std::copy_n(numbers, blocks.block_size, dst);
    return;
  }
  std::uint8_t codes[Grid::kMaxBlock];
  blocks.grid->load(block, scales, offsets, codes);
  for (std::size_t i = 0; i < blocks.block_size; ++i)
    dst[i] = static_cast<std::int32_t>(blocks.grid->levels[codes[i]]);
}

bool all_equal(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [&](float value) { return value == values.front(); });
}

}  // namespace

Result<IntegerWeight> IntegerWeight::of(const Linear& layer, const std::optional<CodeType>& code) {
  const Format& format = *layer.weight.format;
  const Format& blocks = format.row_scale != nullptr ? *format.row_scale->inner : format;
  const bool integers =
      has_integer_levels(blocks) || (format.row_scale != nullptr && has_integer_elements(blocks));
  if (!code && !integers)
    return fail(ErrorKind::unsupported, layer.name,
                fmt::format("the numbers of {} are not integers with a scale; --weights int8:row rounds them",
                            format.name));
  return IntegerWeight(layer.weight, blocks, code);
}

void IntegerWeight::load_blocks(std::size_t row, IntegerRow& out) const {
  const Format& format = *view_.format;
  const std::size_t n_blocks = (view_.n_cols + blocks_->block_size - 1) / blocks_->block_size;
  const std::size_t n_groups = blocks_->grid != nullptr ? blocks_->grid->n_groups : 1;
  out.group = blocks_->block_size / n_groups;
  out.codes.resize(n_blocks * blocks_->block_size);
  out.scales.assign(n_blocks * n_groups, 1.0F);
  out.offsets.assign(n_blocks * n_groups, 0.0F);
  const std::uint8_t* header = view_.bytes + row * format.row_bytes(view_.n_cols);
  for (std::size_t b = 0; b < n_blocks; ++b)
    load_block(*blocks_, header + format.header_bytes + b * blocks_->block_bytes,
               out.scales.data() + b * n_groups, out.offsets.data() + b * n_groups,
               out.codes.data() + b * blocks_->block_size);
  if (format.row_scale == nullptr) return;
  const RowScale& rule = *format.row_scale;
  const float scale = formats::load_row_scale(rule.type, header);
  const float offset =
      rule.has_offset ? formats::load_row_scale(rule.type, header + formats::bytes_of(rule.type)) : 0;
  for (float& value : out.scales) value *= scale;
  for (float& value : out.offsets) value = value * scale + offset;
}

void IntegerWeight::unpack(std::size_t row, const float* decoded, IntegerRow& out) const {
  if (code_) {
    const std::span x(decoded, view_.n_cols);
    out.group = view_.n_cols;
    out.codes.resize(view_.n_cols);
    out.scales.assign(1, quantize_span(*code_, x, range_of(x), out.codes.data()));
    out.offsets.assign(1, 0.0F);
    return;
  }
  load_blocks(row, out);
  if (all_equal(out.scales) && all_equal(out.offsets)) out.group = view_.n_cols;
}

}  // namespace kerf

// Formats made of another one and a scale per row, with or without an offset: a header of one or two numbers
// of 2 or 4 bytes, then the blocks of the inner format. x̂ = row scale · inner + row offset, product and sum
// rounded to binary32.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kerf/base/bits.h"
#include "kerf/formats/format.h"
#include "kerf/numbers/float16.h"

namespace kerf::formats {

[[nodiscard]] constexpr std::uint32_t bytes_of(RowScale::Type type) noexcept {
  return type == RowScale::Type::f32 ? 4 : 2;
}

[[nodiscard]] inline float load_row_scale(RowScale::Type type, const std::uint8_t* header) noexcept {
  return type == RowScale::Type::f32 ? load_le<float>(header) : bf16_to_f32(load_le<std::uint16_t>(header));
}

/// Writes the nearest scale that the header can hold and returns it.
inline float store_row_scale(RowScale::Type type, float scale, std::uint8_t* header) noexcept {
  if (type == RowScale::Type::f32) {
    store_le(header, scale);
    return scale;
  }
  const std::uint16_t bits = std::min<std::uint16_t>(f32_to_bf16(scale), 0x7F7F);  // no infinity
  store_le(header, bits);
  return bf16_to_f32(bits);
}

/// A row of an inner format that wants whole blocks: the numbers of the last block that the row does not
/// have are dropped.
template <const Format& inner>
void decode_any_length(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  const std::size_t whole = n / inner.block_size * inner.block_size;
  inner.decode(src, dst, whole);
  if (whole == n) return;
  float last[inner.block_size];
  inner.decode(src + whole / inner.block_size * inner.block_bytes, last, inner.block_size);
  std::copy_n(last, n - whole, dst + whole);
}

[[nodiscard]] constexpr std::uint32_t header_bytes_of(const RowScale& rule) noexcept {
  return bytes_of(rule.type) * (rule.has_offset ? 2 : 1);
}

template <const Format& inner, RowScale::Type type, bool has_offset>
void decode_scaled_row(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  const float scale = load_row_scale(type, src);
  decode_any_length<inner>(src + bytes_of(type) * (has_offset ? 2 : 1), dst, n);
  if constexpr (has_offset) {
    const float offset = load_row_scale(type, src + bytes_of(type));
    for (std::size_t i = 0; i < n; ++i) dst[i] = dst[i] * scale + offset;
  } else {
    for (std::size_t i = 0; i < n; ++i) dst[i] *= scale;
  }
}

/// A scale that makes the largest number of the inner format overflow counts as infinite.
template <const RowScale& rule>
const char* row_scale_defect(const std::uint8_t* header) noexcept {
  float largest = load_row_scale(rule.type, header) * rule.reach;
  if (rule.has_offset) largest += load_row_scale(rule.type, header + bytes_of(rule.type));
  return std::isfinite(largest) ? nullptr : "row scale is NaN or infinite";
}

/// `inner` with a scale per row, of rows of any length. `widest` is the rule with a reach that no block goes
/// beyond, where that of `rule` is one that only unusual ones do.
template <const Format& inner, const RowScale& rule, const RowScale& widest = rule>
constexpr Format row_scaled(std::string_view name, std::string_view summary,
                            std::string_view family = {}) noexcept {
  return {.name = name,
          .gguf_type = kNoGgufType,
          .block_size = inner.block_size,
          .block_bytes = inner.block_bytes,
          .summary = summary,
          .decode = decode_scaled_row<inner, rule.type, rule.has_offset>,
          .encode_plain = nullptr,
          .grid = nullptr,
          .defect = inner.defect,
          .header_bytes = header_bytes_of(rule),
          .any_length = true,
          .row_scale = &rule,
          .header_defect = row_scale_defect<widest>,
          .family = family};
}

}  // namespace kerf::formats

// The scalar families: blocks of one group each that differ in a few numbers only (bits per code, size of the
// group, how scale and offset are stored, levels). One set of loops serves them all, so that a format costs a
// few bytes of code.
//
//   offset  bytes
//        0  0…2    scale: binary16, bfloat16, E4M3, a byte c that stands for c/64, or none (1)
//        …  0…2    offset: none; a zero point z (int8 z − 2^(bits−1)): offset = −scale·z; or a binary16
//        …  ⌈group·bits/8⌉  codes: number i in bits i·bits … i·bits + bits − 1 of one little-endian bit
//        string
//
//   x = scale · level[code] + offset, in this order in binary32. A code beyond the last level counts as it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "kerf/formats/format.h"

namespace kerf::formats {

enum class ScaleType : std::uint8_t { none, f16, bf16, e4m3, u8 };
enum class OffsetType : std::uint8_t { none, zero, f16 };

/// What tells one format of the families from another.
struct PackedLayout {
  const float* levels;  ///< ascending, not all 0, of static storage
  std::uint16_t n_levels;
  bool uniform;  ///< levels[c] == levels[0] + c
  std::uint8_t bits;
  std::uint16_t group;  ///< a multiple of 8
  ScaleType scale;
  OffsetType offset = OffsetType::none;
  bool scale_may_be_negative = true;  ///< not together with a zero point

  [[nodiscard]] constexpr std::size_t scale_bytes() const noexcept {
    return scale == ScaleType::none ? 0 : scale == ScaleType::f16 || scale == ScaleType::bf16 ? 2 : 1;
  }
  [[nodiscard]] constexpr std::size_t codes_at() const noexcept {
    return scale_bytes() + (offset == OffsetType::none ? 0 : offset == OffsetType::zero ? 1 : 2);
  }
  [[nodiscard]] constexpr std::size_t block_bytes() const noexcept {
    return codes_at() + std::size_t{group} * bits / 8;
  }
  /// Zero points z that can be stored.
  [[nodiscard]] constexpr int least_zero() const noexcept { return (1 << (bits - 1)) - 128; }
  [[nodiscard]] constexpr int most_zero() const noexcept { return (1 << (bits - 1)) + 127; }
  /// Largest magnitude that a scale of 1 leads to.
  [[nodiscard]] constexpr float reach() const noexcept { return std::max(-levels[0], levels[n_levels - 1]); }
};

void decode_packed(const PackedLayout& layout, const std::uint8_t* src, float* dst, std::size_t n) noexcept;
/// Rounds to the nearest level, without parameters (ScaleType::none).
void encode_packed(const PackedLayout& layout, const float* src, std::uint8_t* dst, std::size_t n) noexcept;
void store_packed_parameters(const PackedLayout& layout, float* scale, float* offset,
                             std::uint8_t* block) noexcept;
void store_packed_codes(const PackedLayout& layout, const std::uint8_t* codes, std::uint8_t* block) noexcept;
void load_packed(const PackedLayout& layout, const std::uint8_t* block, float* scale, float* offset,
                 std::uint8_t* codes) noexcept;
[[nodiscard]] const char* packed_defect(const PackedLayout& layout, const std::uint8_t* block) noexcept;

/// The functions of one format of the families.
template <const PackedLayout& kLayout>
struct Packed {
  static void decode(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    decode_packed(kLayout, src, dst, n);
  }
  static void encode(const float* src, std::uint8_t* dst, std::size_t n) noexcept {
    encode_packed(kLayout, src, dst, n);
  }
  static void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
    store_packed_parameters(kLayout, scale, offset, block);
  }
  static void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
    store_packed_codes(kLayout, codes, block);
  }
  static void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
    load_packed(kLayout, block, scale, offset, codes);
  }
  static const char* defect(const std::uint8_t* block) noexcept { return packed_defect(kLayout, block); }

  static constexpr bool kZero = kLayout.offset == OffsetType::zero;
  static constexpr Grid kGrid{
      .n_groups = 1,
      .levels = {kLayout.levels, kLayout.n_levels},
      .uniform = kLayout.uniform,
      .scale_sign = kLayout.scale_may_be_negative && !kZero ? Grid::Sign::any : Grid::Sign::non_negative,
      .has_offset = kLayout.offset != OffsetType::none,
      // Of 7 and 8 bits, zero points below 0 do not reach as far as the codes do.
      .offset_sign = kZero && kLayout.bits >= 7 ? Grid::Sign::non_positive : Grid::Sign::any,
      .store_parameters = store_parameters,
      .store_codes = store_codes,
      .load = load,
      .zero_point = kZero};

  /// Rows of any length. Without a scale a format of plain elements, for rows with a scale in front.
  [[nodiscard]] static constexpr Format format(std::string_view name, std::string_view family,
                                               std::string_view summary) noexcept {
    constexpr bool kElements = kLayout.scale == ScaleType::none;
    constexpr bool kAllCodesAreLevels = kLayout.n_levels == 1U << kLayout.bits;
    return {.name = name,
            .gguf_type = kNoGgufType,
            .block_size = kLayout.group,
            .block_bytes = kLayout.block_bytes(),
            .summary = summary,
            .decode = decode,
            .encode_plain = kElements ? encode : nullptr,
            .grid = kElements ? nullptr : &kGrid,
            .defect = kElements && kAllCodesAreLevels ? nullptr : defect,
            .any_length = true,
            .family = family};
  }
};

/// Text made while compiling: names and summaries of the members of a family.
struct FixedText {
  std::array<char, 80> text{};
  std::size_t size = 0;

  constexpr FixedText& operator<<(std::string_view more) {
    for (const char c : more) text[size++] = c;
    return *this;
  }
  constexpr FixedText& operator<<(unsigned number) {
    if (number >= 10) *this << number / 10;
    text[size++] = static_cast<char>('0' + number % 10);
    return *this;
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text.data(), size}; }
};

/// −2^(bits−1) … 2^(bits−1) − 1 from kIntegers + 128 − 2^(bits−1); 0 … 2^bits − 1 from kIntegers + 128.
inline constexpr auto kIntegers = [] {
  std::array<float, 384> integers{};
  for (int i = 0; i < 384; ++i) integers[static_cast<std::size_t>(i)] = static_cast<float>(i - 128);
  return integers;
}();
inline constexpr float kPlusMinusOne[2] = {-1, 1};

/// Two's complement integers; of one bit −1 and 1.
[[nodiscard]] constexpr PackedLayout signed_layout(unsigned bits, unsigned group, ScaleType scale) noexcept {
  return {.levels = bits == 1 ? kPlusMinusOne : kIntegers.data() + 128 - (1U << (bits - 1)),
          .n_levels = static_cast<std::uint16_t>(1U << bits),
          .uniform = bits > 1,
          .bits = static_cast<std::uint8_t>(bits),
          .group = static_cast<std::uint16_t>(group),
          .scale = scale};
}

[[nodiscard]] constexpr PackedLayout unsigned_layout(unsigned bits, unsigned group, ScaleType scale,
                                                     OffsetType offset) noexcept {
  return {.levels = kIntegers.data() + 128,
          .n_levels = static_cast<std::uint16_t>(1U << bits),
          .uniform = true,
          .bits = static_cast<std::uint8_t>(bits),
          .group = static_cast<std::uint16_t>(group),
          .scale = scale,
          .offset = offset,
          .scale_may_be_negative = offset != OffsetType::zero};
}

}  // namespace kerf::formats

// Small floating-point numbers under a scale. Elements are E4M3, E5M2 (a byte each), E2M3 or E3M2 (six bits;
// number i in bits 6i … 6i + 5 of one little-endian bit string, four numbers in three bytes).
//
//   F8_E4M3_ROW F8_E5M2_ROW       one binary32 scale per row; per tensor where all rows have the same
//   F8_E4M3_Gg[_BF16|_F32] …      a binary16, bfloat16 or binary32 scale, then 32 or 128 elements
//   MXFP8_E4M3 MXFP8_E5M2         an E8M0 scale, then 32 elements. Source: OCP Microscaling Formats (MX)
//   MXFP6_E2M3 MXFP6_E3M2         v1.0, §5.1
//
// Each element is rounded to nearest even, saturating; quantizers choose the scale.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "kerf/formats/block32.h"
#include "kerf/formats/packed.h"
#include "kerf/formats/row_scaled.h"
#include "kerf/numbers/e8m0.h"
#include "kerf/numbers/minifloat.h"

namespace kerf::formats {
namespace {

enum class Element : std::uint8_t { e4m3, e5m2, e2m3, e3m2 };
enum class FloatScale : std::uint8_t { none, f16, bf16, f32, e8m0 };

constexpr std::size_t kLongestBlock = 128;

struct FloatLayout {
  Element element;
  FloatScale scale;
  std::uint16_t group;

  [[nodiscard]] constexpr std::size_t scale_bytes() const noexcept {
    return scale == FloatScale::none ? 0 : scale == FloatScale::e8m0 ? 1 : scale == FloatScale::f32 ? 4 : 2;
  }
  [[nodiscard]] constexpr bool six_bits() const noexcept { return element >= Element::e2m3; }
  [[nodiscard]] constexpr std::size_t block_bytes() const noexcept {
    return scale_bytes() + std::size_t{group} * (six_bits() ? 6 : 8) / 8;
  }
  /// Largest element.
  [[nodiscard]] constexpr float most() const noexcept {
    constexpr float kMost[] = {448.0F, 57344.0F, 7.5F, 28.0F};
    return kMost[static_cast<std::size_t>(element)];
  }
  [[nodiscard]] constexpr int mantissa_bits() const noexcept {
    constexpr int kBits[] = {3, 2, 3, 2};
    return kBits[static_cast<std::size_t>(element)];
  }
};

float load_scale(const FloatLayout& layout, const std::uint8_t* block) noexcept {
  switch (layout.scale) {
    case FloatScale::f16:
      return load_f16(block);
    case FloatScale::bf16:
      return bf16_to_f32(load_le<std::uint16_t>(block));
    case FloatScale::f32:
      return load_le<float>(block);
    case FloatScale::e8m0:
      return e8m0_to_f32(block[0]);
    case FloatScale::none:
      break;
  }
  return 1.0F;
}

/// Rounds up where it can, so that the largest number is not clipped.
float store_scale(const FloatLayout& layout, float scale, std::uint8_t* block) noexcept {
  switch (layout.scale) {
    case FloatScale::f16:
      return store_f16(scale, block);
    case FloatScale::bf16:
      store_le(block, std::min<std::uint16_t>(f32_to_bf16(scale), 0x7F7F));
      break;
    case FloatScale::f32:
      store_le(block, scale);
      break;
    case FloatScale::e8m0:
      block[0] = f32_to_e8m0(scale);
      break;
    case FloatScale::none:
      break;
  }
  return load_scale(layout, block);
}

/// Four elements of six bits from three bytes.
void unpack_six_bits(const std::uint8_t* src, std::uint8_t* bits, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += 4, src += 3) {
    const std::uint32_t word = src[0] | src[1] << 8 | src[2] << 16;
    for (std::size_t j = 0; j < 4; ++j) bits[i + j] = word >> 6 * j & 63;
  }
}

void pack_six_bits(const std::uint8_t* bits, std::uint8_t* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += 4, dst += 3) {
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 4; ++j) word |= static_cast<std::uint32_t>(bits[i + j]) << 6 * j;
    std::memcpy(dst, &word, 3);
  }
}

KERF_CLONES void decode_elements(Element element, const std::uint8_t* __restrict bits, float scale,
                                 float* __restrict dst, std::size_t n) noexcept {
  switch (element) {
    case Element::e4m3:
      for (std::size_t i = 0; i < n; ++i) dst[i] = scale * e4m3_to_f32(bits[i]);
      return;
    case Element::e5m2:
      for (std::size_t i = 0; i < n; ++i) dst[i] = scale * e5m2_to_f32(bits[i]);
      return;
    case Element::e2m3:
      for (std::size_t i = 0; i < n; ++i) dst[i] = scale * e2m3_to_f32(bits[i]);
      return;
    case Element::e3m2:
      for (std::size_t i = 0; i < n; ++i) dst[i] = scale * e3m2_to_f32(bits[i]);
      return;
  }
}

KERF_CLONES void encode_elements(Element element, const float* __restrict src, double inverse,
                                 std::uint8_t* __restrict bits, std::size_t n) noexcept {
  float scaled[kLongestBlock];
  for (std::size_t i = 0; i < n; ++i) scaled[i] = static_cast<float>(src[i] * inverse);
  switch (element) {
    case Element::e4m3:
      for (std::size_t i = 0; i < n; ++i) bits[i] = f32_to_e4m3(scaled[i]);
      return;
    case Element::e5m2:
      for (std::size_t i = 0; i < n; ++i) bits[i] = f32_to_e5m2(scaled[i]);
      return;
    case Element::e2m3:
      for (std::size_t i = 0; i < n; ++i) bits[i] = f32_to_e2m3(scaled[i]);
      return;
    case Element::e3m2:
      for (std::size_t i = 0; i < n; ++i) bits[i] = f32_to_e3m2(scaled[i]);
      return;
  }
}

void decode_block(const FloatLayout& layout, const std::uint8_t* block, float* dst) noexcept {
  const float scale = load_scale(layout, block);
  const std::uint8_t* elements = block + layout.scale_bytes();
  if (!layout.six_bits()) return decode_elements(layout.element, elements, scale, dst, layout.group);
  std::uint8_t bits[kLongestBlock];
  unpack_six_bits(elements, bits, layout.group);
  decode_elements(layout.element, bits, scale, dst, layout.group);
}

void decode_floats(const FloatLayout& layout, const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  std::size_t i = 0;
  for (; i + layout.group <= n; i += layout.group, src += layout.block_bytes())
    decode_block(layout, src, dst + i);
  if (i == n) return;
  float last[kLongestBlock];
  decode_block(layout, src, last);
  std::copy_n(last, n - i, dst + i);
}

/// Writes a block with this scale.
void encode_block(const FloatLayout& layout, const float* x, float wanted_scale,
                  std::uint8_t* block) noexcept {
  const float scale = store_scale(layout, wanted_scale, block);
  std::uint8_t bits[kLongestBlock];
  encode_elements(layout.element, x, scale == 0.0F ? 0.0 : 1.0 / scale, bits, layout.group);
  std::uint8_t* elements = block + layout.scale_bytes();
  if (layout.six_bits())
    pack_six_bits(bits, elements, layout.group);
  else
    std::copy_n(bits, layout.group, elements);
}

/// Elements alone.
void encode_floats(const FloatLayout& layout, const float* src, std::uint8_t* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += layout.group, src += layout.group, dst += layout.block_bytes())
    encode_block(layout, src, 1.0F, dst);
}

const char* float_defect(const FloatLayout& layout, const std::uint8_t* block) noexcept {
  const float scale = load_scale(layout, block);
  if (!std::isfinite(scale * layout.most())) return kBadScale;
  if (scale < 0) return "scale is negative";
  const std::uint8_t* elements = block + layout.scale_bytes();
  for (std::size_t i = 0; i < layout.group && !layout.six_bits(); ++i)
    if ((elements[i] & 0x7F) > (layout.element == Element::e4m3 ? 0x7E : 0x7B)) return "NaN or infinity";
  return nullptr;
}

template <const FloatLayout& kLayout>
struct Functions {
  static void encode_plain(const float* src, std::uint8_t* dst, std::size_t n) noexcept {
    encode_floats(kLayout, src, dst, n);
  }
  static void encode(const float* x, float scale, std::uint8_t* block) noexcept {
    encode_block(kLayout, x, scale, block);
  }
  static constexpr FloatBlocks kBlocks{.most = kLayout.most(),
                                       .mantissa_bits = kLayout.mantissa_bits(),
                                       .power_of_two = kLayout.scale == FloatScale::e8m0,
                                       .encode = encode};
};

template <const FloatLayout& kLayout>
constexpr Format float_format(std::string_view name, std::string_view family, std::string_view summary) {
  return {.name = name,
          .gguf_type = kNoGgufType,
          .block_size = kLayout.group,
          .block_bytes = kLayout.block_bytes(),
          .summary = summary,
          .decode = [](const std::uint8_t* src, float* dst,
                       std::size_t n) noexcept { decode_floats(kLayout, src, dst, n); },
          .encode_plain = kLayout.scale == FloatScale::none ? Functions<kLayout>::encode_plain : nullptr,
          .grid = nullptr,
          .defect = [](const std::uint8_t* block) noexcept { return float_defect(kLayout, block); },
          .any_length = true,
          .floats = kLayout.scale == FloatScale::none ? nullptr : &Functions<kLayout>::kBlocks,
          .family = family};
}

constexpr std::string_view kElementNames[] = {"E4M3", "E5M2", "E2M3", "E3M2"};

struct Member {
  Element element;
  FloatScale scale;
  std::uint16_t group;

  [[nodiscard]] constexpr FixedText name() const {
    const auto element_name = kElementNames[static_cast<std::size_t>(element)];
    const bool six = element >= Element::e2m3;
    if (scale == FloatScale::e8m0) return FixedText{} << (six ? "MXFP6_" : "MXFP8_") << element_name;
    constexpr std::string_view kSuffix[] = {"", "", "_BF16", "_F32"};
    return FixedText{} << "F8_" << element_name << "_G" << unsigned{group}
                       << kSuffix[static_cast<std::size_t>(scale)];
  }
  [[nodiscard]] constexpr FixedText summary() const {
    constexpr std::string_view kScale[] = {"", "f16", "bf16", "f32", "power-of-two"};
    return FixedText{} << (element >= Element::e2m3 ? "6" : "8") << "-bit floats ("
                       << kElementNames[static_cast<std::size_t>(element)] << "), "
                       << kScale[static_cast<std::size_t>(scale)] << " scale per " << unsigned{group};
  }
};

constexpr Member kMembers[] = {
    {Element::e4m3, FloatScale::f32, 32},  {Element::e4m3, FloatScale::f16, 32},
    {Element::e4m3, FloatScale::bf16, 32}, {Element::e4m3, FloatScale::f32, 128},
    {Element::e4m3, FloatScale::f16, 128}, {Element::e4m3, FloatScale::bf16, 128},
    {Element::e5m2, FloatScale::f32, 32},  {Element::e5m2, FloatScale::f16, 32},
    {Element::e5m2, FloatScale::bf16, 32}, {Element::e5m2, FloatScale::f32, 128},
    {Element::e5m2, FloatScale::f16, 128}, {Element::e5m2, FloatScale::bf16, 128},
    {Element::e4m3, FloatScale::e8m0, 32}, {Element::e5m2, FloatScale::e8m0, 32},
    {Element::e2m3, FloatScale::e8m0, 32}, {Element::e3m2, FloatScale::e8m0, 32},
};

template <std::size_t kIndex>
struct Made {
  static constexpr const Member& kMember = kMembers[kIndex];
  static constexpr FloatLayout kLayout{kMember.element, kMember.scale, kMember.group};
  static constexpr FixedText kName = kMember.name();
  static constexpr FixedText kSummary = kMember.summary();
  static constexpr Format kFormat = float_format<kLayout>(kName.view(),
                                                          kMember.scale == FloatScale::e8m0  ? ""
                                                          : kMember.element == Element::e4m3 ? "F8_E4M3_Gg"
                                                                                             : "F8_E5M2_Gg",
                                                          kSummary.view());
};

template <Element kElement>
struct FloatRow {
  static constexpr FloatLayout kLayout{kElement, FloatScale::none, 8};
  static constexpr FixedText kName = FixedText{} << "F8_" << kElementNames[static_cast<std::size_t>(kElement)]
                                                 << "_ROW";
  static constexpr FixedText kSummary = FixedText{} << "8-bit floats ("
                                                    << kElementNames[static_cast<std::size_t>(kElement)]
                                                    << "), f32 scale per row (or tensor)";
  static constexpr Format kElements = float_format<kLayout>(kName.view(), {}, "elements");
  static constexpr RowScale kRowScale{
      .inner = &kElements, .type = RowScale::Type::f32, .reach = kLayout.most(), .least_range = 0.5F};
  static constexpr Format kFormat = row_scaled<kElements, kRowScale>(kName.view(), kSummary.view());
};

template <std::size_t... kIndices>
constexpr auto all(std::index_sequence<kIndices...>) {
  return std::array{FloatRow<Element::e4m3>::kFormat, FloatRow<Element::e5m2>::kFormat,
                    Made<kIndices>::kFormat...};
}
constexpr auto kFormats = all(std::make_index_sequence<std::size(kMembers)>());

}  // namespace

constexpr std::span<const Format> float_formats = kFormats;

}  // namespace kerf::formats

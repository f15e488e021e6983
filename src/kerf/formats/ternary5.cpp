// Ternary numbers, five in a byte: x = scale · (t − 1), t in 0 1 2.
//
//   TERNARY5_Gg    groups of 32, 64, 128, 256
//     byte 0     f16 scale
//     byte 2     B = ⌈g/5⌉ bytes: byte j holds numbers k·B + j, k = 0 … 4, as digits t of base 3, the first
//     one
//                most significant: ⌈256 · Σ t_k·3^(4−k) / 243⌉. Digits beyond the last number are 0
//   TERNARY5_ROW   rows of blocks of 80 numbers in 16 such bytes without a scale; one f32 scale per row
//
// Multiplied by 3^k modulo 256, the byte has digit k on top (formats/tq1_0.cpp has the same arithmetic).
#include <cmath>
#include <utility>

#include "kerf/formats/block32.h"
#include "kerf/formats/packed.h"
#include "kerf/formats/row_scaled.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kLongestBlock = 256;
constexpr std::uint8_t kPowers[5] = {1, 3, 9, 27, 81};
constexpr const float* kLevels = kIntegers.data() + 127;  // −1 0 1

struct TritLayout {
  std::uint16_t group;
  bool scaled;

  [[nodiscard]] constexpr std::size_t codes_at() const noexcept { return scaled ? 2 : 0; }
  [[nodiscard]] constexpr std::size_t width() const noexcept { return (group + 4U) / 5; }
  [[nodiscard]] constexpr std::size_t block_bytes() const noexcept { return codes_at() + width(); }
  /// How many numbers have digit k.
  [[nodiscard]] constexpr std::size_t numbers_of(std::size_t k) const noexcept {
    return std::min(width(), group - k * width());
  }
};

inline int digit(std::uint8_t byte, std::size_t k) noexcept {
  return static_cast<std::uint8_t>(byte * kPowers[k]) * 3 >> 8;
}

KERF_CLONES void decode_blocks(const TritLayout& layout, const std::uint8_t* __restrict src,
                               float* __restrict dst, std::size_t n_blocks) noexcept {
  for (std::size_t b = 0; b < n_blocks; ++b, src += layout.block_bytes()) {
    const float scale = layout.scaled ? load_f16(src) : 1.0F;
    const std::uint8_t* bytes = src + layout.codes_at();
    for (std::size_t k = 0; k < 5; ++k) {
      const std::size_t n = layout.numbers_of(k);
      for (std::size_t j = 0; j < n; ++j) dst[j] = static_cast<float>(digit(bytes[j], k) - 1) * scale;
      dst += n;
    }
  }
}

void decode_trits(const TritLayout& layout, const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  const std::size_t n_blocks = n / layout.group;
  decode_blocks(layout, src, dst, n_blocks);
  if (n_blocks * layout.group == n) return;
  float last[kLongestBlock];
  decode_blocks(layout, src + n_blocks * layout.block_bytes(), last, 1);
  std::copy_n(last, n - n_blocks * layout.group, dst + n_blocks * layout.group);
}

void store_trits(const TritLayout& layout, const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < layout.width(); ++j) {
    unsigned number = 0;
    for (std::size_t k = 0; k < 5; ++k)
      number = number * 3 + (j < layout.numbers_of(k) ? codes[k * layout.width() + j] : 0U);
    block[layout.codes_at() + j] = static_cast<std::uint8_t>((number * 256 + 242) / 243);
  }
}

void load_trits(const TritLayout& layout, const std::uint8_t* block, std::uint8_t* codes) noexcept {
  for (std::size_t k = 0; k < 5; ++k)
    for (std::size_t j = 0; j < layout.numbers_of(k); ++j)
      codes[k * layout.width() + j] = static_cast<std::uint8_t>(digit(block[layout.codes_at() + j], k));
}

void encode_trits(const TritLayout& layout, const float* src, std::uint8_t* dst, std::size_t n) noexcept {
  std::uint8_t codes[kLongestBlock];
  for (std::size_t i = 0; i < n; i += layout.group, dst += layout.block_bytes()) {
    for (std::size_t j = 0; j < layout.group; ++j)
      codes[j] = static_cast<std::uint8_t>(
          i + j < n ? 1 + static_cast<int>(std::rint(std::clamp(src[i + j], -1.0F, 1.0F))) : 0);
    store_trits(layout, codes, dst);
  }
}

/// 243 of the 256 bytes are the image of five digits.
const char* trits_defect(const TritLayout& layout, const std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < layout.width(); ++j) {
    const std::uint8_t byte = block[layout.codes_at() + j];
    const unsigned number = byte * 243U >> 8;
    if ((number * 256 + 242) / 243 != byte || (j >= layout.numbers_of(4) && number % 3 != 0))
      return "byte that is not made of ternary digits";
  }
  return layout.scaled && !finite_f16(block) ? kBadScale : nullptr;
}

template <const TritLayout& kLayout>
struct Trits {
  static void decode(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    decode_trits(kLayout, src, dst, n);
  }
  static void encode(const float* src, std::uint8_t* dst, std::size_t n) noexcept {
    encode_trits(kLayout, src, dst, n);
  }
  static void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
    scale[0] = store_f16(scale[0], block);
    offset[0] = 0.0F;
  }
  static void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
    store_trits(kLayout, codes, block);
  }
  static void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
    scale[0] = load_f16(block);
    offset[0] = 0.0F;
    load_trits(kLayout, block, codes);
  }
  static const char* defect(const std::uint8_t* block) noexcept { return trits_defect(kLayout, block); }

  static constexpr Grid kGrid{.n_groups = 1,
                              .levels = {kLevels, 3},
                              .uniform = true,
                              .scale_sign = Grid::Sign::any,
                              .has_offset = false,
                              .offset_sign = Grid::Sign::any,
                              .store_parameters = store_parameters,
                              .store_codes = store_codes,
                              .load = load};

  static constexpr Format format(std::string_view name, std::string_view family, std::string_view summary) {
    return {.name = name,
            .gguf_type = kNoGgufType,
            .block_size = kLayout.group,
            .block_bytes = kLayout.block_bytes(),
            .summary = summary,
            .decode = decode,
            .encode_plain = kLayout.scaled ? nullptr : encode,
            .grid = kLayout.scaled ? &kGrid : nullptr,
            .defect = defect,
            .any_length = true,
            .family = family};
  }
};

template <unsigned kSize>
struct Group {
  static constexpr TritLayout kLayout{kSize, true};
  static constexpr FixedText kName = FixedText{} << "TERNARY5_G" << kSize;
  static constexpr FixedText kSummary = FixedText{} << "−1 0 1, five in a byte, f16 scale per " << kSize;
  static constexpr Format kFormat = Trits<kLayout>::format(kName.view(), "TERNARY5_Gg", kSummary.view());
};

constexpr TritLayout kRowLayout{80, false};
constexpr Format kRowBlocks = Trits<kRowLayout>::format("ternary", {}, "ternary");
constexpr RowScale kRowScale{
    .inner = &kRowBlocks, .type = RowScale::Type::f32, .reach = 1.0F, .least_range = 0.1F};

constexpr Format kFormats[] = {
    Group<32>::kFormat, Group<64>::kFormat, Group<128>::kFormat, Group<256>::kFormat,
    row_scaled<kRowBlocks, kRowScale>("TERNARY5_ROW", "−1 0 1, five in a byte, f32 scale per row")};

}  // namespace

constexpr std::span<const Format> ternary5_formats = kFormats;

}  // namespace kerf::formats

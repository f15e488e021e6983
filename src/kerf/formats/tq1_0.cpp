// TQ1_0: 256 ternary numbers, x = d · (q − 1), q in 0 … 2, five to a byte.
// Source: GGUF tensor type 34.
//
//   byte 0     32 bytes: byte i holds numbers 32·k + i, k = 0 … 4
//   byte 32    16 bytes: byte i holds numbers 160 + 16·k + i, k = 0 … 4
//   byte 48    4 bytes: byte i holds numbers 240 + 4·k + i, k = 0 … 3
//   byte 52    f16 d
//
// A byte is ⌈256 · t / 243⌉ where t = 81·q₀ + 27·q₁ + 9·q₂ + 3·q₃ + q₄. Read as a fraction of 256 it is just
// above t / 243, so that multiplying by 3^k and dropping whole turns leaves digit k on top.
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 54;
constexpr std::size_t kFactorAt = 52;
constexpr auto kLevels = consecutive_levels<3>(-1);
constexpr std::uint8_t kPowers[5] = {1, 3, 9, 27, 81};

/// `width` bytes hold n_digits rows of `width` numbers each.
struct Section {
  std::size_t at, width, n_digits;
};
constexpr Section kSections[] = {{0, 32, 5}, {32, 16, 5}, {48, 4, 4}};

inline int digit(std::uint8_t byte, std::size_t k) noexcept {
  return static_cast<std::uint8_t>(byte * kPowers[k]) * 3 >> 8;
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src + kFactorAt);
    for (const Section& section : kSections)
      for (std::size_t k = 0; k < section.n_digits; ++k, dst += section.width)
        for (std::size_t i = 0; i < section.width; ++i)
          dst[i] = static_cast<float>(digit(src[section.at + i], k) - 1) * d;
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block + kFactorAt);
  offset[0] = 0.0F;
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (const Section& section : kSections) {
    for (std::size_t i = 0; i < section.width; ++i) {
      unsigned number = 0;
      for (std::size_t k = 0; k < 5; ++k)
        number = number * 3 + (k < section.n_digits ? codes[section.width * k + i] : 0U);
      block[section.at + i] = static_cast<std::uint8_t>((number * 256 + 242) / 243);
    }
    codes += section.n_digits * section.width;
  }
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block + kFactorAt);
  offset[0] = 0.0F;
  for (const Section& section : kSections)
    for (std::size_t k = 0; k < section.n_digits; ++k, codes += section.width)
      for (std::size_t i = 0; i < section.width; ++i)
        codes[i] = static_cast<std::uint8_t>(digit(block[section.at + i], k));
}

/// 243 of the 256 bytes are the image of five digits, 81 of those of four.
const char* defect(const std::uint8_t* block) noexcept {
  for (const Section& section : kSections) {
    for (std::size_t i = 0; i < section.width; ++i) {
      const unsigned number = block[section.at + i] * 243U >> 8;
      if ((number * 256 + 242) / 243 != block[section.at + i] || (section.n_digits == 4 && number % 3 != 0))
        return "byte that is not made of ternary digits";
    }
  }
  return finite_f16(block + kFactorAt) ? nullptr : kBadScale;
}

constexpr Grid kGrid{.n_groups = 1,
                     .levels = kLevels,
                     .uniform = true,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format tq1_0{.name = "TQ1_0",
                       .gguf_type = 34,
                       .block_size = kSuperBlock,
                       .block_bytes = kBytes,
                       .summary = "ternary, five numbers in a byte, one scale per 256",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = &kGrid,
                       .defect = defect};

}  // namespace kerf::formats

// Q3_K: 256 numbers in 16 groups of 16, x = d·(scale − 32)·(q − 4), q in 0 … 7, scale in 0 … 63.
// Source: GGUF tensor type 11.
//
//   byte 0     third bits: bit 4·h + k of byte i belongs to number 128·h + 32·k + i
//   byte 32    low two bits: byte 32·h + i holds numbers 128·h + 32·k + i, k = 0 … 3, in bits 2k and 2k + 1
//   byte 96    low four bits of the scales: byte j holds group j in its low nibble, j + 8 in its high one
//   byte 104   high two bits of the scales: byte j holds groups j + 4·k, k = 0 … 3, in bits 2k and 2k + 1
//   byte 108   f16 d
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::uint32_t kGroups = 16;
constexpr std::size_t kBytes = 110;
constexpr std::size_t kHighAt = 0;
constexpr std::size_t kLowAt = 32;
constexpr std::size_t kScalesLowAt = 96;
constexpr std::size_t kScalesHighAt = 104;
constexpr std::size_t kFactorAt = 108;
constexpr auto kLevels = consecutive_levels<8>(-4);

inline void load_scales(const std::uint8_t* block, float* scale) noexcept {
  const float d = load_f16(block + kFactorAt);
  for (std::size_t g = 0; g < kGroups; ++g) {
    const int low = (block[kScalesLowAt + g % 8] >> 4 * (g / 8)) & 15;
    const int high = (block[kScalesHighAt + g % 4] >> 2 * (g / 4)) & 3;
    scale[g] = d * static_cast<float>((low | high << 4) - 32);
  }
}

/// The codes of numbers 128·h … 128·h + 127.
inline void load_codes(const std::uint8_t* block, std::size_t h, std::uint8_t* __restrict codes) noexcept {
  const std::uint8_t* low = block + kLowAt + 32 * h;
  const std::uint8_t* high = block + kHighAt;
  for (std::size_t i = 0; i < 32; ++i) {
    const unsigned bits = static_cast<unsigned>(high[i]) >> 4 * h;
    codes[i] = static_cast<std::uint8_t>((low[i] & 3) | (bits & 1) << 2);
    codes[32 + i] = static_cast<std::uint8_t>((low[i] >> 2 & 3) | (bits & 2) << 1);
    codes[64 + i] = static_cast<std::uint8_t>((low[i] >> 4 & 3) | (bits & 4));
    codes[96 + i] = static_cast<std::uint8_t>(low[i] >> 6 | (bits & 8) >> 1);
  }
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes, dst += kSuperBlock) {
    float scale[kGroups];
    load_scales(src, scale);
    std::uint8_t codes[kSuperBlock];
    load_codes(src, 0, codes);
    load_codes(src, 1, codes + 128);
    for (std::size_t at = 0; at < kSuperBlock; at += 16) {
      KERF_KEEP_LOOP
      for (std::size_t i = 0; i < 16; ++i)
        dst[at + i] = scale[at / 16] * static_cast<float>(codes[at + i] - 4);
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  const SuperScale scales = fit_super_scale({scale, kGroups}, -32, 31);
  for (std::size_t i = kScalesLowAt; i < kFactorAt; ++i) block[i] = 0;
  for (std::size_t g = 0; g < kGroups; ++g) {
    const int stored = scales.codes[g] + 32;
    block[kScalesLowAt + g % 8] |= static_cast<std::uint8_t>((stored & 15) << 4 * (g / 8));
    block[kScalesHighAt + g % 4] |= static_cast<std::uint8_t>((stored >> 4) << 2 * (g / 4));
    offset[g] = 0.0F;
  }
  store_le(block + kFactorAt, scales.factor_bits);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t i = 0; i < 32; ++i) {
    unsigned high = 0;
    for (std::size_t g = 0; g < 8; ++g) high |= static_cast<unsigned>(codes[32 * g + i] >> 2) << g;
    block[kHighAt + i] = static_cast<std::uint8_t>(high);
  }
  for (std::size_t h = 0; h < 2; ++h, codes += 128)
    for (std::size_t i = 0; i < 32; ++i)
      block[kLowAt + 32 * h + i] = static_cast<std::uint8_t>(
          (codes[i] & 3) | (codes[32 + i] & 3) << 2 | (codes[64 + i] & 3) << 4 | (codes[96 + i] & 3) << 6);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  load_scales(block, scale);
  for (std::size_t g = 0; g < kGroups; ++g) offset[g] = 0.0F;
  load_codes(block, 0, codes);
  load_codes(block, 1, codes + 128);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block + kFactorAt) ? nullptr : kBadScale;
}

constexpr Grid kGrid{.n_groups = kGroups,
                     .levels = kLevels,
                     .uniform = true,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format q3_k{.name = "Q3_K",
                      .gguf_type = 11,
                      .block_size = kSuperBlock,
                      .block_bytes = kBytes,
                      .summary = "3 bits, signed 6-bit scale per 16",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

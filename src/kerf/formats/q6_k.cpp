// Q6_K: 256 numbers in 16 groups of 16, x = d·scale·(q − 32), q in 0 … 63, scale an int8.
// Source: GGUF tensor type 14.
//
//   byte 0     low four bits: byte 64·h + 32·k + i, k = 0, 1, holds number 128·h + 32·k + i in its low nibble
//              and 128·h + 64 + 32·k + i in its high one
//   byte 128   high two bits: byte 32·h + i holds numbers 128·h + 32·k + i, k = 0 … 3, in bits 2k and 2k + 1
//   byte 192   int8 scale[16]
//   byte 208   f16 d
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::uint32_t kGroups = 16;
constexpr std::size_t kBytes = 210;
constexpr std::size_t kLowAt = 0;
constexpr std::size_t kHighAt = 128;
constexpr std::size_t kScalesAt = 192;
constexpr std::size_t kFactorAt = 208;
constexpr auto kLevels = consecutive_levels<64>(-32);

inline void load_scales(const std::uint8_t* block, float* scale) noexcept {
  const float d = load_f16(block + kFactorAt);
  for (std::size_t g = 0; g < kGroups; ++g)
    scale[g] = d * static_cast<float>(static_cast<std::int8_t>(block[kScalesAt + g]));
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    float scale[kGroups];
    load_scales(src, scale);
    for (std::size_t g = 0; g < kGroups; ++g, dst += 16) {
      const std::size_t h = g / 8;
      const std::size_t k = g % 8 / 2;
      const std::uint8_t* low = src + kLowAt + 64 * h + 32 * (k % 2) + 16 * (g % 2);
      const std::uint8_t* high = src + kHighAt + 32 * h + 16 * (g % 2);
      for (std::size_t i = 0; i < 16; ++i) {
        const int code = ((low[i] >> 4 * (k / 2)) & 15) | ((high[i] >> 2 * k) & 3) << 4;
        dst[i] = scale[g] * static_cast<float>(code - 32);
      }
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  const SuperScale scales = fit_super_scale({scale, kGroups}, -128, 127);
  for (std::size_t g = 0; g < kGroups; ++g) {
    block[kScalesAt + g] = static_cast<std::uint8_t>(scales.codes[g]);
    offset[g] = 0.0F;
  }
  store_le(block + kFactorAt, scales.factor_bits);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t h = 0; h < 2; ++h, codes += 128) {
    for (std::size_t i = 0; i < 64; ++i)
      block[kLowAt + 64 * h + i] = static_cast<std::uint8_t>((codes[i] & 15) | codes[64 + i] << 4);
    for (std::size_t i = 0; i < 32; ++i)
      block[kHighAt + 32 * h + i] = static_cast<std::uint8_t>(
          codes[i] >> 4 | codes[32 + i] >> 4 << 2 | codes[64 + i] >> 4 << 4 | codes[96 + i] >> 4 << 6);
  }
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  load_scales(block, scale);
  for (std::size_t g = 0; g < kGroups; ++g) offset[g] = 0.0F;
  for (std::size_t h = 0; h < 2; ++h)
    for (std::size_t k = 0; k < 4; ++k, codes += 32)
      for (std::size_t i = 0; i < 32; ++i) {
        const int low = (block[kLowAt + 64 * h + 32 * (k % 2) + i] >> 4 * (k / 2)) & 15;
        const int high = (block[kHighAt + 32 * h + i] >> 2 * k) & 3;
        codes[i] = static_cast<std::uint8_t>(low | high << 4);
      }
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

constexpr Format q6_k{.name = "Q6_K",
                      .gguf_type = 14,
                      .block_size = kSuperBlock,
                      .block_bytes = kBytes,
                      .summary = "6 bits, signed 8-bit scale per 16",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

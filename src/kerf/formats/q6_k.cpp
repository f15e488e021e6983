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
  KERF_KEEP_LOOP
  for (std::size_t g = 0; g < kGroups; ++g)
    scale[g] = d * static_cast<float>(static_cast<std::int8_t>(block[kScalesAt + g]));
}

/// The codes of numbers 128·h … 128·h + 127.
inline void load_codes(const std::uint8_t* block, std::size_t h, std::uint8_t* __restrict codes) noexcept {
  const std::uint8_t* low = block + kLowAt + 64 * h;
  const std::uint8_t* high = block + kHighAt + 32 * h;
  for (std::size_t i = 0; i < 32; ++i) {
    codes[i] = static_cast<std::uint8_t>((low[i] & 15) | (high[i] & 3) << 4);
    codes[32 + i] = static_cast<std::uint8_t>((low[32 + i] & 15) | (high[i] >> 2 & 3) << 4);
    codes[64 + i] = static_cast<std::uint8_t>(low[i] >> 4 | (high[i] >> 4 & 3) << 4);
    codes[96 + i] = static_cast<std::uint8_t>(low[32 + i] >> 4 | (high[i] >> 6) << 4);
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
        dst[at + i] = scale[at / 16] * static_cast<float>(codes[at + i] - 32);
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

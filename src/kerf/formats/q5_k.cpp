// Q5_K: 256 numbers in 8 groups of 32, x = d·scale·q − dmin·min, q in 0 … 31.
// Source: GGUF tensor type 13.
//
//   byte 0     f16 d, f16 dmin, eight 6-bit scales and minima (k_scales.h)
//   byte 16    fifth bits: bit g of byte i belongs to number i of group g
//   byte 48    low four bits: byte 32·j + i holds number 64·j + i in its low nibble, 64·j + 32 + i in its
//   high
//              one
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::uint32_t kGroups = 8;
constexpr std::size_t kBytes = 176;
constexpr std::size_t kHighAt = 16;
constexpr std::size_t kLowAt = 48;
constexpr auto kLevels = consecutive_levels<32>(0);

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    float scale[kGroups];
    float offset[kGroups];
    load_scales_and_mins(src, scale, offset);
    const std::uint8_t* high = src + kHighAt;
    for (std::size_t j = 0; j < 4; ++j, dst += 64) {
      const std::uint8_t* low = src + kLowAt + 32 * j;
      const std::size_t g = 2 * j;
      for (std::size_t i = 0; i < 32; ++i)
        dst[i] = scale[g] * static_cast<float>((low[i] & 15) | ((high[i] >> g) & 1) << 4) + offset[g];
      for (std::size_t i = 0; i < 32; ++i)
        dst[32 + i] = scale[g + 1] * static_cast<float>((low[i] >> 4) | ((high[i] >> (g + 1)) & 1) << 4) +
                      offset[g + 1];
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  store_scales_and_mins(scale, offset, block);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < 4; ++j)
    for (std::size_t i = 0; i < 32; ++i)
      block[kLowAt + 32 * j + i] =
          static_cast<std::uint8_t>((codes[64 * j + i] & 15) | codes[64 * j + 32 + i] << 4);
  for (std::size_t i = 0; i < 32; ++i) {
    unsigned bits = 0;
    for (std::size_t g = 0; g < kGroups; ++g) bits |= static_cast<unsigned>(codes[32 * g + i] >> 4) << g;
    block[kHighAt + i] = static_cast<std::uint8_t>(bits);
  }
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  load_scales_and_mins(block, scale, offset);
  for (std::size_t g = 0; g < kGroups; ++g) {
    const std::uint8_t* low = block + kLowAt + 32 * (g / 2);
    for (std::size_t i = 0; i < 32; ++i)
      codes[32 * g + i] =
          static_cast<std::uint8_t>(((low[i] >> 4 * (g % 2)) & 15) | ((block[kHighAt + i] >> g) & 1) << 4);
  }
}

const char* defect(const std::uint8_t* block) noexcept {
  return factors_defect(block);
}

constexpr Grid kGrid{.n_groups = kGroups,
                     .levels = kLevels,
                     .uniform = true,
                     .scale_sign = Grid::Sign::non_negative,
                     .has_offset = true,
                     .offset_sign = Grid::Sign::non_positive,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format q5_k{.name = "Q5_K",
                      .gguf_type = 13,
                      .block_size = kSuperBlock,
                      .block_bytes = kBytes,
                      .summary = "5 bits, 6-bit scale and minimum per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

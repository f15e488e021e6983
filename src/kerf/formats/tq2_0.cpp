// TQ2_0: 256 ternary numbers, x = d · (q − 1), q in 0 … 2, two bits each.
// Source: GGUF tensor type 35.
//
//   byte 0     codes: byte 32·h + i holds numbers 128·h + 32·k + i, k = 0 … 3, in bits 2k and 2k + 1
//   byte 64    f16 d
#include <algorithm>

#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 66;
constexpr std::size_t kFactorAt = 64;
constexpr auto kLevels = consecutive_levels<3>(-1);

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src + kFactorAt);
    for (std::size_t h = 0; h < 2; ++h)
      for (std::size_t k = 0; k < 4; ++k, dst += 32)
        for (std::size_t i = 0; i < 32; ++i)
          dst[i] = static_cast<float>(((src[32 * h + i] >> 2 * k) & 3) - 1) * d;
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block + kFactorAt);
  offset[0] = 0.0F;
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t h = 0; h < 2; ++h, codes += 128)
    for (std::size_t i = 0; i < 32; ++i)
      block[32 * h + i] =
          static_cast<std::uint8_t>(codes[i] | codes[32 + i] << 2 | codes[64 + i] << 4 | codes[96 + i] << 6);
}

/// Code 3, which no ternary number has, is read as 2 to stay within the levels; defect() names such blocks.
void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block + kFactorAt);
  offset[0] = 0.0F;
  for (std::size_t h = 0; h < 2; ++h)
    for (std::size_t k = 0; k < 4; ++k, codes += 32)
      for (std::size_t i = 0; i < 32; ++i)
        codes[i] = static_cast<std::uint8_t>(std::min((block[32 * h + i] >> 2 * k) & 3, 2));
}

const char* defect(const std::uint8_t* block) noexcept {
  for (std::size_t i = 0; i < kFactorAt; ++i)
    if ((block[i] & block[i] >> 1 & 0x55) != 0) return "code 3 in a ternary block";
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

constexpr Format tq2_0{.name = "TQ2_0",
                       .gguf_type = 35,
                       .block_size = kSuperBlock,
                       .block_bytes = kBytes,
                       .summary = "ternary, two bits each, one scale per 256",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = &kGrid,
                       .defect = defect};

}  // namespace kerf::formats

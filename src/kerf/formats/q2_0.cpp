// Q2_0: 64 numbers of two bits, x = d · (q − 1), q in 0 … 3.
// Source: GGUF tensor type 42.
//
//   byte 0     f16 d
//   byte 2     16 bytes: number i in bits 2·(i % 4) and 2·(i % 4) + 1 of byte i / 4
#include <cstring>

#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kBytes = 18;
constexpr auto kLevels = consecutive_levels<4>(-1);

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kBlock; ++b, src += kBytes, dst += kBlock) {
    const float d = load_f16(src);
    std::uint32_t codes[16];  // four in the bytes of each
    for (std::size_t j = 0; j < 16; ++j) {
      const std::uint32_t nibbles = (src[2 + j] | static_cast<std::uint32_t>(src[2 + j]) << 12) & 0x000F000FU;
      codes[j] = (nibbles | nibbles << 6) & 0x03030303U;
    }
    std::uint8_t bytes[kBlock];
    std::memcpy(bytes, codes, kBlock);
    for (std::size_t i = 0; i < kBlock; ++i) dst[i] = static_cast<float>(bytes[i] - 1) * d;
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
  offset[0] = 0.0F;
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < 16; ++j, codes += 4)
    block[2 + j] = static_cast<std::uint8_t>(codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = 0.0F;
  for (std::size_t i = 0; i < kBlock; ++i) codes[i] = block[2 + i / 4] >> 2 * (i % 4) & 3;
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
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

constexpr Format q2_0{.name = "Q2_0",
                      .gguf_type = 42,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "2 bits (−1 0 1 2), one scale per 64",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

// Q4_0: blocks of 32 numbers, 4 bits each, x = d·(q − 8). Layout of GGUF, type 2; do not renumber.
//
//   offset  bytes
//        0      2  binary16 scale d
//        2     16  low four bits: number j in the low, number j + 16 in the high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 18;
constexpr float kLevels[] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kBlock, src += kBytes) {
    const float d = load_f16(src);
    const std::uint8_t* codes = src + 2;
    KERF_KEEP_LOOP
    for (std::size_t j = 0; j < 16; ++j) dst[i + j] = static_cast<float>((codes[j] & 15) - 8) * d;
    KERF_KEEP_LOOP
    for (std::size_t j = 0; j < 16; ++j) dst[i + 16 + j] = static_cast<float>((codes[j] >> 4) - 8) * d;
  }
}

void store_parameters(float* scale, float* /*offset*/, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  store_nibbles(codes, block + 2);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = 0.0F;
  load_nibbles(block + 2, codes);
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

constexpr Format q4_0{.name = "Q4_0",
                      .gguf_type = 2,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "4 bits, one scale per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

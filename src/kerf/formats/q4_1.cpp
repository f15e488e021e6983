// Q4_1: blocks of 32 numbers, 4 bits each, x = d·q + m. Layout of GGUF, type 3; do not renumber.
//
//   offset  bytes
//        0      2  binary16 scale d
//        2      2  binary16 offset m
//        4     16  low four bits: number j in the low, number j + 16 in the high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 20;
constexpr float kLevels[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kBlock, src += kBytes) {
    const float d = load_f16(src);
    const float m = load_f16(src + 2);
    const std::uint8_t* codes = src + 4;
    KERF_KEEP_LOOP
    for (std::size_t j = 0; j < 16; ++j) dst[i + j] = static_cast<float>(codes[j] & 15) * d + m;
    KERF_KEEP_LOOP
    for (std::size_t j = 0; j < 16; ++j) dst[i + 16 + j] = static_cast<float>(codes[j] >> 4) * d + m;
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
  offset[0] = store_f16(offset[0], block + 2);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  store_nibbles(codes, block + 4);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = load_f16(block + 2);
  load_nibbles(block + 4, codes);
}

const char* defect(const std::uint8_t* block) noexcept {
  if (!finite_f16(block)) return kBadScale;
  return finite_f16(block + 2) ? nullptr : kBadOffset;
}

constexpr Grid kGrid{.n_groups = 1,
                     .levels = kLevels,
                     .uniform = true,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = true,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format q4_1{.name = "Q4_1",
                      .gguf_type = 3,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "4 bits, scale and offset per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

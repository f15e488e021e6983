// Q5_1: blocks of 32 numbers, 5 bits each, x = d·q + m. Layout of GGUF, type 7; do not renumber.
//
//   offset  bytes
//        0      2  binary16 scale d
//        2      2  binary16 offset m
//        4      4  fifth bits: bit 4 of number j is bit j of a little-endian word
//        8     16  low four bits: number j in the low, number j + 16 in the high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 24;
constexpr float kLevels[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                             16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kBlock, src += kBytes) {
    const float d = load_f16(src);
    const float m = load_f16(src + 2);
    std::uint8_t codes[kBlock];
    load_nibbles(src + 8, codes);
    add_fifth_bits(src + 4, codes);
    for (std::size_t j = 0; j < kBlock; ++j) dst[i + j] = static_cast<float>(codes[j]) * d + m;
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
  offset[0] = store_f16(offset[0], block + 2);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  store_fifth_bits(codes, block + 4);
  store_nibbles(codes, block + 8);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = load_f16(block + 2);
  load_nibbles(block + 8, codes);
  add_fifth_bits(block + 4, codes);
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

constexpr Format q5_1{.name = "Q5_1",
                      .gguf_type = 7,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "5 bits, scale and offset per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

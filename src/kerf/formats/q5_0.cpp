// Q5_0: blocks of 32 numbers, 5 bits each, x = d·(q − 16). Layout of GGUF, type 6; do not renumber.
//
//   offset  bytes
//        0      2  binary16 scale d
//        2      4  fifth bits: bit 4 of number j is bit j of a little-endian word
//        6     16  low four bits: number j in the low, number j + 16 in the high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 22;
constexpr float kLevels[] = {-16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1,
                             0,   1,   2,   3,   4,   5,   6,   7,  8,  9,  10, 11, 12, 13, 14, 15};

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kBlock, src += kBytes) {
    const float d = load_f16(src);
    std::uint8_t codes[kBlock];
    load_nibbles(src + 6, codes);
    add_fifth_bits(src + 2, codes);
    for (std::size_t j = 0; j < kBlock; ++j) dst[i + j] = static_cast<float>(codes[j] - 16) * d;
  }
}

void store_parameters(float* scale, float* /*offset*/, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  store_fifth_bits(codes, block + 2);
  store_nibbles(codes, block + 6);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = 0.0F;
  load_nibbles(block + 6, codes);
  add_fifth_bits(block + 2, codes);
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

constexpr Format q5_0{.name = "Q5_0",
                      .gguf_type = 6,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "5 bits, one scale per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

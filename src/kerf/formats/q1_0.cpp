// Q1_0: 128 numbers of one bit, x = d · (2·q − 1), q in 0 … 1.
// Source: GGUF tensor type 41.
//
//   byte 0     f16 d
//   byte 2     16 bytes: number i in bit i % 8 of byte i / 8
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 128;
constexpr std::size_t kBytes = 18;
constexpr float kLevels[] = {-1, 1};

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kBlock; ++b, src += kBytes, dst += kBlock) {
    const float d = load_f16(src);
    std::uint8_t codes[kBlock];
    for (std::size_t j = 0; j < 16; ++j) store_le(codes + 8 * j, spread_bits(src[2 + j]));
    for (std::size_t i = 0; i < kBlock; ++i) dst[i] = codes[i] != 0 ? d : -d;
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
  offset[0] = 0.0F;
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < 16; ++j, codes += 8) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < 8; ++i) bits |= static_cast<unsigned>(codes[i]) << i;
    block[2 + j] = static_cast<std::uint8_t>(bits);
  }
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = 0.0F;
  for (std::size_t i = 0; i < kBlock; ++i) codes[i] = block[2 + i / 8] >> i % 8 & 1;
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr Grid kGrid{.n_groups = 1,
                     .levels = kLevels,
                     .uniform = false,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format q1_0{.name = "Q1_0",
                      .gguf_type = 41,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "1 bit (−1 1), one scale per 128",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

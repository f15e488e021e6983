// IQ4_NL: 32 numbers, x = d · level[q], sixteen non-uniform levels (iq4.h).
// Source: GGUF tensor type 20.
//
//   byte 0     f16 d
//   byte 2     codes: byte j holds number j in its low nibble, j + 16 in its high one
#include "kerf/formats/block32.h"
#include "kerf/formats/bytes16.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq4.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 18;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kBlock; ++b, src += kBytes, dst += kBlock) {
    const float d = load_f16(src);
    std::int8_t levels[kBlock];
    lookup_nibbles(kIq4Table, src + 2, levels);
    KERF_KEEP_LOOP
    for (std::size_t j = 0; j < 16; ++j) dst[j] = d * static_cast<float>(levels[j]);
    KERF_KEEP_LOOP
    for (std::size_t j = 16; j < 32; ++j) dst[j] = d * static_cast<float>(levels[j]);
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
  offset[0] = 0.0F;
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
                     .levels = kIq4Levels,
                     .uniform = false,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format iq4_nl{.name = "IQ4_NL",
                        .gguf_type = 20,
                        .block_size = kBlock,
                        .block_bytes = kBytes,
                        .summary = "4 bits, non-uniform levels, one scale per 32",
                        .decode = decode,
                        .encode_plain = nullptr,
                        .grid = &kGrid,
                        .defect = defect};

}  // namespace kerf::formats

// MXFP4: 32 numbers in E2M1 with a power of two for a scale, x = 2^(e − 127) · q.
// Source: OCP Microscaling Formats (MX) v1.0, §5.1; GGUF tensor type 39.
//
//   byte 0     e, an E8M0 number
//   byte 1     numbers: byte j holds number j in its low nibble, j + 16 in its high one
#include <algorithm>

#include "kerf/formats/block32.h"
#include "kerf/formats/bytes16.h"
#include "kerf/formats/format.h"
#include "kerf/formats/fp4.h"
#include "kerf/numbers/e8m0.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 17;
constexpr std::uint8_t kLargestExponent = 252;  // the last at which 6, the largest number, stays finite

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kBlock; ++b, src += kBytes, dst += kBlock) {
    // Half the scale, because the numbers are doubled: finite for every byte, as other readers have it.
    const float half = src[0] == 0 ? 0x1p-128F : e8m0_to_f32(static_cast<std::uint8_t>(src[0] - 1));
    std::int8_t doubled[kBlock];
    lookup_nibbles(kE2m1Doubled, src + 1, doubled);
    KERF_KEEP_LOOP
    for (std::size_t j = 0; j < 16; ++j) dst[j] = half * static_cast<float>(doubled[j]);
    KERF_KEEP_LOOP
    for (std::size_t j = 16; j < 32; ++j) dst[j] = half * static_cast<float>(doubled[j]);
  }
}

/// Rounds to the nearest power of two in the logarithm; a caller that wants the best one tries the
/// neighbours.
void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  block[0] = std::min(f32_to_e8m0(scale[0]), kLargestExponent);
  scale[0] = e8m0_to_f32(block[0]);
  offset[0] = 0.0F;
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  std::uint8_t bits[kBlock];
  for (std::size_t i = 0; i < kBlock; ++i) bits[i] = e2m1_bits_of_code(codes[i]);
  store_nibbles(bits, block + 1);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = e8m0_to_f32(block[0]);
  offset[0] = 0.0F;
  load_nibbles(block + 1, codes);
  for (std::size_t i = 0; i < kBlock; ++i) codes[i] = code_of_e2m1_bits(codes[i]);
}

const char* defect(const std::uint8_t* block) noexcept {
  if (block[0] == 0xFF) return "scale is NaN";
  return block[0] > kLargestExponent ? "scale is too large for binary32" : nullptr;
}

constexpr Grid kGrid{.n_groups = 1,
                     .levels = kE2m1Levels,
                     .uniform = false,
                     .scale_sign = Grid::Sign::non_negative,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format mxfp4{.name = "MXFP4",
                       .gguf_type = 39,
                       .block_size = kBlock,
                       .block_bytes = kBytes,
                       .summary = "4-bit floats (E2M1), power-of-two scale per 32",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = &kGrid,
                       .defect = defect};

}  // namespace kerf::formats

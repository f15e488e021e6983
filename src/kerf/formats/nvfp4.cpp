// NVFP4: 64 numbers in E2M1, in 4 groups of 16 with an 8-bit floating-point scale each, x = scale · q.
// Source: NVIDIA NVFP4 (2025); GGUF tensor type 40 has no scale per tensor, NVFP4_ROW has one per row.
//
//   byte 0     UE4M3 scale[4]
//   byte 4     numbers: byte 8·g + j holds number j of group g in its low nibble, j + 8 in its high one
#include "kerf/base/bits.h"
#include "kerf/formats/bytes16.h"
#include "kerf/formats/format.h"
#include "kerf/formats/fp4.h"
#include "kerf/formats/row_scaled.h"
#include "kerf/numbers/minifloat.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::uint32_t kGroups = 4;
constexpr std::size_t kBytes = 36;

/// As other readers have it: the NaN counts as 0 and the bit where E4M3 has its sign is not looked at.
inline float load_scale(std::uint8_t bits) noexcept {
  return bits == 0x7F ? 0.0F : E4M3::decode_magnitude(bits & 0x7FU);
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kBlock; ++b, src += kBytes, dst += kBlock) {
    std::int8_t doubled[kBlock];  // of two groups at a time: low nibbles, then high ones
    lookup_nibbles(kE2m1Doubled, src + kGroups, doubled);
    lookup_nibbles(kE2m1Doubled, src + kGroups + 16, doubled + 32);
    for (std::size_t g = 0; g < kGroups; ++g) {
      const float half = 0.5F * load_scale(src[g]);
      const std::int8_t* low = doubled + 32 * (g / 2) + 8 * (g % 2);
      KERF_KEEP_LOOP
      for (std::size_t j = 0; j < 8; ++j) dst[16 * g + j] = half * static_cast<float>(low[j]);
      KERF_KEEP_LOOP
      for (std::size_t j = 0; j < 8; ++j) dst[16 * g + 8 + j] = half * static_cast<float>(low[16 + j]);
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < kGroups; ++g) {
    block[g] = f32_to_ue4m3(scale[g]);
    scale[g] = load_scale(block[g]);
    offset[g] = 0.0F;
  }
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < kGroups; ++g, codes += 16)
    for (std::size_t j = 0; j < 8; ++j)
      block[kGroups + 8 * g + j] =
          static_cast<std::uint8_t>(e2m1_bits_of_code(codes[j]) | e2m1_bits_of_code(codes[8 + j]) << 4);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  for (std::size_t g = 0; g < kGroups; ++g, codes += 16) {
    scale[g] = load_scale(block[g]);
    offset[g] = 0.0F;
    for (std::size_t j = 0; j < 8; ++j) {
      codes[j] = code_of_e2m1_bits(block[kGroups + 8 * g + j] & 15);
      codes[8 + j] = code_of_e2m1_bits(block[kGroups + 8 * g + j] >> 4);
    }
  }
}

const char* defect(const std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < kGroups; ++g)
    if (block[g] >= 0x7F) return block[g] == 0x7F ? "scale is NaN" : "scale is negative";
  return nullptr;
}

constexpr Grid kGrid{.n_groups = kGroups,
                     .levels = kE2m1Levels,
                     .uniform = false,
                     .scale_sign = Grid::Sign::non_negative,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format nvfp4{.name = "NVFP4",
                       .gguf_type = 40,
                       .block_size = kBlock,
                       .block_bytes = kBytes,
                       .summary = "4-bit floats (E2M1), 8-bit float scale per 16",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = &kGrid,
                       .defect = defect};

namespace {
constexpr RowScale kRowScale{
    .inner = &nvfp4, .type = RowScale::Type::f32, .reach = 448.0F * 6.0F, .least_range = 1.0F};
}

constexpr Format nvfp4_row =
    row_scaled<nvfp4, kRowScale>("NVFP4_ROW", "NVFP4 with a scale per row (or tensor)");

}  // namespace kerf::formats

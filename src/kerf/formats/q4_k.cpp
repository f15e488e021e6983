// Q4_K: 256 numbers in 8 groups of 32, x = d·scale·q − dmin·min, q in 0 … 15.
// Source: GGUF tensor type 12.
//
//   byte 0     f16 d, f16 dmin, eight 6-bit scales and minima (k_scales.h)
//   byte 16    codes: byte 32·j + i holds number 64·j + i in its low nibble, 64·j + 32 + i in its high one
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::uint32_t kGroups = 8;
constexpr std::size_t kBytes = 144;
constexpr std::size_t kCodesAt = 16;
constexpr auto kLevels = consecutive_levels<16>(0);

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    float scale[kGroups];
    float offset[kGroups];
    load_scales_and_mins(src, scale, offset);
    for (std::size_t j = 0; j < 4; ++j, dst += 64) {
      const std::uint8_t* codes = src + kCodesAt + 32 * j;
      for (std::size_t i = 0; i < 32; ++i)
        dst[i] = scale[2 * j] * static_cast<float>(codes[i] & 15) + offset[2 * j];
      for (std::size_t i = 0; i < 32; ++i)
        dst[32 + i] = scale[2 * j + 1] * static_cast<float>(codes[i] >> 4) + offset[2 * j + 1];
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  store_scales_and_mins(scale, offset, block);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < 4; ++j, codes += 64)
    for (std::size_t i = 0; i < 32; ++i)
      block[kCodesAt + 32 * j + i] = static_cast<std::uint8_t>(codes[i] | codes[32 + i] << 4);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  load_scales_and_mins(block, scale, offset);
  for (std::size_t j = 0; j < 4; ++j, codes += 64) {
    for (std::size_t i = 0; i < 32; ++i) {
      codes[i] = block[kCodesAt + 32 * j + i] & 15;
      codes[32 + i] = block[kCodesAt + 32 * j + i] >> 4;
    }
  }
}

const char* defect(const std::uint8_t* block) noexcept {
  return factors_defect(block);
}

constexpr Grid kGrid{.n_groups = kGroups,
                     .levels = kLevels,
                     .uniform = true,
                     .scale_sign = Grid::Sign::non_negative,
                     .has_offset = true,
                     .offset_sign = Grid::Sign::non_positive,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format q4_k{.name = "Q4_K",
                      .gguf_type = 12,
                      .block_size = kSuperBlock,
                      .block_bytes = kBytes,
                      .summary = "4 bits, 6-bit scale and minimum per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

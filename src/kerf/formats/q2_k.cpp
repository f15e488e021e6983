// Q2_K: 256 numbers in 16 groups of 16, x = d·scale·q − dmin·min, q in 0 … 3.
// Source: GGUF tensor type 10.
//
//   byte 0     byte g: scale of group g in the low nibble, minimum in the high one
//   byte 16    codes: byte 32·h + i holds numbers 128·h + 32·k + i, k = 0 … 3, in bits 2k and 2k + 1
//   byte 80    f16 d, f16 dmin
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::uint32_t kGroups = 16;
constexpr std::size_t kBytes = 84;
constexpr std::size_t kCodesAt = 16;
constexpr std::size_t kFactorsAt = 80;
constexpr auto kLevels = consecutive_levels<4>(0);

inline void load_parameters(const std::uint8_t* block, float* scale, float* offset) noexcept {
  const float d = load_f16(block + kFactorsAt);
  const float minus_dmin = -load_f16(block + kFactorsAt + 2);
  for (std::size_t g = 0; g < kGroups; ++g) {
    scale[g] = d * static_cast<float>(block[g] & 15);
    offset[g] = minus_dmin * static_cast<float>(block[g] >> 4);
  }
}

/// The codes of numbers 128·h … 128·h + 127.
inline void load_codes(const std::uint8_t* block, std::size_t h, std::uint8_t* __restrict codes) noexcept {
  const std::uint8_t* packed = block + kCodesAt + 32 * h;
  for (std::size_t i = 0; i < 32; ++i) {
    codes[i] = packed[i] & 3;
    codes[32 + i] = packed[i] >> 2 & 3;
    codes[64 + i] = packed[i] >> 4 & 3;
    codes[96 + i] = packed[i] >> 6;
  }
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes, dst += kSuperBlock) {
    float scale[kGroups];
    float offset[kGroups];
    load_parameters(src, scale, offset);
    std::uint8_t codes[kSuperBlock];
    load_codes(src, 0, codes);
    load_codes(src, 1, codes + 128);
    for (std::size_t at = 0; at < kSuperBlock; at += 16) {
      KERF_KEEP_LOOP
      for (std::size_t i = 0; i < 16; ++i)
        dst[at + i] = scale[at / 16] * static_cast<float>(codes[at + i]) + offset[at / 16];
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < kGroups; ++g) offset[g] = -offset[g];
  const SuperScale scales = fit_super_scale({scale, kGroups}, 0, 15);
  const SuperScale mins = fit_super_scale({offset, kGroups}, 0, 15);
  for (std::size_t g = 0; g < kGroups; ++g) {
    offset[g] = -offset[g];
    block[g] = static_cast<std::uint8_t>(scales.codes[g] | mins.codes[g] << 4);
  }
  store_le(block + kFactorsAt, scales.factor_bits);
  store_le(block + kFactorsAt + 2, mins.factor_bits);
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t h = 0; h < 2; ++h, codes += 128)
    for (std::size_t i = 0; i < 32; ++i)
      block[kCodesAt + 32 * h + i] =
          static_cast<std::uint8_t>(codes[i] | codes[32 + i] << 2 | codes[64 + i] << 4 | codes[96 + i] << 6);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  load_parameters(block, scale, offset);
  load_codes(block, 0, codes);
  load_codes(block, 1, codes + 128);
}

const char* defect(const std::uint8_t* block) noexcept {
  return factors_defect(block + kFactorsAt);
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

constexpr Format q2_k{.name = "Q2_K",
                      .gguf_type = 10,
                      .block_size = kSuperBlock,
                      .block_bytes = kBytes,
                      .summary = "2 bits, 4-bit scale and minimum per 16",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

// IQ4_XS: 256 numbers in 8 groups of 32, x = d · (scale − 32) · level[q], scale in 0 … 63, levels of iq4.h.
// Source: GGUF tensor type 23.
//
//   byte 0     f16 d
//   byte 2     u16: high two bits of scale g in bits 2g and 2g + 1
//   byte 4     4 bytes: low four bits of scale g in byte g / 2, even groups in the low nibble
//   byte 8     codes: byte 16·g + j holds number j of group g in its low nibble, j + 16 in its high one
#include "kerf/formats/block32.h"
#include "kerf/formats/bytes16.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq4.h"
#include "kerf/formats/k_scales.h"

namespace kerf::formats {
namespace {

constexpr std::uint32_t kGroups = 8;
constexpr std::size_t kBytes = 136;
constexpr std::size_t kScalesHighAt = 2;
constexpr std::size_t kScalesLowAt = 4;
constexpr std::size_t kCodesAt = 8;

inline void load_scales(const std::uint8_t* block, float* scale) noexcept {
  const float d = load_f16(block);
  const unsigned high = load_le<std::uint16_t>(block + kScalesHighAt);
  for (std::size_t g = 0; g < kGroups; ++g) {
    const int low = (block[kScalesLowAt + g / 2] >> 4 * (g % 2)) & 15;
    scale[g] = d * static_cast<float>((low | static_cast<int>((high >> 2 * g) & 3) << 4) - 32);
  }
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    float scale[kGroups];
    load_scales(src, scale);
    for (std::size_t g = 0; g < kGroups; ++g, dst += 32) {
      std::int8_t levels[32];
      lookup_nibbles(kIq4Table, src + kCodesAt + 16 * g, levels);
      KERF_KEEP_LOOP
      for (std::size_t j = 0; j < 16; ++j) dst[j] = scale[g] * static_cast<float>(levels[j]);
      KERF_KEEP_LOOP
      for (std::size_t j = 16; j < 32; ++j) dst[j] = scale[g] * static_cast<float>(levels[j]);
    }
  }
}

void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
  const SuperScale scales = fit_super_scale({scale, kGroups}, -32, 31);
  unsigned high = 0;
  for (std::size_t i = 0; i < 4; ++i) block[kScalesLowAt + i] = 0;
  for (std::size_t g = 0; g < kGroups; ++g) {
    const auto stored = static_cast<unsigned>(scales.codes[g] + 32);
    high |= stored >> 4 << 2 * g;
    block[kScalesLowAt + g / 2] |= static_cast<std::uint8_t>((stored & 15) << 4 * (g % 2));
    offset[g] = 0.0F;
  }
  store_le(block, scales.factor_bits);
  store_le(block + kScalesHighAt, static_cast<std::uint16_t>(high));
}

void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < kGroups; ++g) store_nibbles(codes + 32 * g, block + kCodesAt + 16 * g);
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  load_scales(block, scale);
  for (std::size_t g = 0; g < kGroups; ++g) {
    offset[g] = 0.0F;
    load_nibbles(block + kCodesAt + 16 * g, codes + 32 * g);
  }
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr Grid kGrid{.n_groups = kGroups,
                     .levels = kIq4Levels,
                     .uniform = false,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format iq4_xs{.name = "IQ4_XS",
                        .gguf_type = 23,
                        .block_size = kSuperBlock,
                        .block_bytes = kBytes,
                        .summary = "4 bits, non-uniform levels, signed 6-bit scale per 32",
                        .decode = decode,
                        .encode_plain = nullptr,
                        .grid = &kGrid,
                        .defect = defect};

}  // namespace kerf::formats

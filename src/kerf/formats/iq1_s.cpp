// IQ1_S: 256 numbers in 8 groups of 32; a group is 4 vectors of 8 from a ternary codebook of 2048, all moved
// by the same ±1/8. x = d · (2·scale + 1) · (vector ± 1/8), scale in 0 … 7.
// Source: GGUF tensor type 19.
//
//   byte 0     f16 d
//   byte 2     32 bytes: low eight bits of the index of vector v
//   byte 34    a u16 for each group: high three bits of the indices of vectors k = 0 … 3 in bits 3k … 3k + 2,
//              scale in bits 12 … 14, bit 15 set if 1/8 is subtracted
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 50;
constexpr std::size_t kLowAt = 2;
constexpr std::size_t kHighAt = 34;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src);
    for (std::size_t g = 0; g < 8; ++g) {
      const unsigned high = load_le<std::uint16_t>(src + kHighAt + 2 * g);
      const float scale = d * static_cast<float>(2 * (high >> 12 & 7) + 1);
      const float shift = (high & 0x8000U) != 0 ? -kIq1Shift : kIq1Shift;
      for (std::size_t k = 0; k < 4; ++k, dst += 8)
        write_shifted(kIq1Grid[src[kLowAt + 4 * g + k] | (high >> 3 * k & 7) << 8], shift, scale, dst);
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < 8; ++g) {
    unsigned high =
        static_cast<unsigned>(codes.scale[g]) << 12 | static_cast<unsigned>(codes.shift_down[4 * g]) << 15;
    for (std::size_t k = 0; k < 4; ++k) {
      const unsigned point = codes.point[4 * g + k][0];
      block[kLowAt + 4 * g + k] = static_cast<std::uint8_t>(point);
      high |= point >> 8 << 3 * k;
    }
    store_le(block + kHighAt + 2 * g, static_cast<std::uint16_t>(high));
  }
  return store_f16(factor, block);
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t v = 0; v < 32; ++v) {
    const unsigned high = load_le<std::uint16_t>(block + kHighAt + 2 * (v / 4));
    codes.scale[v / 4] = high >> 12 & 7;
    codes.shift_down[v] = static_cast<std::uint8_t>(high >> 15);
    codes.point[v][0] = static_cast<std::uint16_t>(block[kLowAt + v] | (high >> 3 * (v % 4) & 7) << 8);
  }
  return load_f16(block);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr auto kMultipliers = even_steps<8>(1, 2);
constexpr VectorGrid kGrid{.width = 8,
                           .points = coordinates(kIq1Grid),
                           .n_points = kIq1Grid.size(),
                           .signs = VectorGrid::Signs::none,
                           .group_cells = 4,
                           .multipliers = kMultipliers,
                           .shift = kIq1Shift,
                           .shift_cells = 4,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq1_s{.name = "IQ1_S",
                       .gguf_type = 19,
                       .block_size = kSuperBlock,
                       .block_bytes = kBytes,
                       .summary = "vectors of 8 from a ternary codebook of 2048, shift per 32",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = nullptr,
                       .defect = defect,
                       .vectors = &kGrid};

}  // namespace kerf::formats

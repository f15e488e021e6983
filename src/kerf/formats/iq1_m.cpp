// IQ1_M: 256 numbers in 16 groups of 16; a group is 2 vectors of 8 from a ternary codebook of 2048, each
// moved by its own ±1/8. x = d · (2·scale + 1) · (vector ± 1/8), scale in 0 … 7. Source: GGUF tensor type 29.
//
//   byte 0     32 bytes: low eight bits of the index of vector v
//   byte 32    16 bytes: for vector v in nibble v % 2 of byte v / 2: high three bits of the index, and bit 3
//              set if 1/8 is subtracted
//   byte 48    4 u16: scales of groups 4j + k in bits 3k … 3k + 2 of word j; the four top nibbles are, lowest
//              first, those of d, an f16
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 56;
constexpr std::size_t kHighAt = 32;
constexpr std::size_t kScalesAt = 48;

inline std::uint16_t factor_bits(const std::uint8_t* block) noexcept {
  unsigned bits = 0;
  for (std::size_t j = 0; j < 4; ++j)
    bits |= static_cast<unsigned>(block[kScalesAt + 2 * j + 1] >> 4) << 4 * j;
  return static_cast<std::uint16_t>(bits);
}

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = f16_to_f32(factor_bits(src));
    for (std::size_t g = 0; g < 16; ++g) {
      const unsigned scales = load_le<std::uint16_t>(src + kScalesAt + 2 * (g / 4));
      const float scale = d * static_cast<float>(2 * (scales >> 3 * (g % 4) & 7) + 1);
      for (std::size_t v = 2 * g; v < 2 * g + 2; ++v, dst += 8) {
        const unsigned high = src[kHighAt + v / 2] >> 4 * (v % 2) & 15U;
        const float shift = (high & 8) != 0 ? -kIq1Shift : kIq1Shift;
        write_shifted(kIq1Grid[src[v] | (high & 7) << 8], shift, scale, dst);
      }
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  for (std::size_t v = 0; v < 32; v += 2) {
    const unsigned first = codes.point[v][0];
    const unsigned second = codes.point[v + 1][0];
    block[v] = static_cast<std::uint8_t>(first);
    block[v + 1] = static_cast<std::uint8_t>(second);
    block[kHighAt + v / 2] = static_cast<std::uint8_t>(first >> 8 | codes.shift_down[v] << 3 |
                                                       second >> 8 << 4 | codes.shift_down[v + 1] << 7);
  }
  std::uint8_t rounded[2];
  const float kept = store_f16(factor, rounded);
  const unsigned bits = load_le<std::uint16_t>(rounded);
  for (std::size_t j = 0; j < 4; ++j) {
    unsigned word = (bits >> 4 * j & 15) << 12;
    for (std::size_t k = 0; k < 4; ++k) word |= static_cast<unsigned>(codes.scale[4 * j + k]) << 3 * k;
    store_le(block + kScalesAt + 2 * j, static_cast<std::uint16_t>(word));
  }
  return kept;
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t v = 0; v < 32; ++v) {
    const unsigned high = block[kHighAt + v / 2] >> 4 * (v % 2) & 15U;
    codes.point[v][0] = static_cast<std::uint16_t>(block[v] | (high & 7) << 8);
    codes.shift_down[v] = static_cast<std::uint8_t>(high >> 3);
  }
  for (std::size_t g = 0; g < 16; ++g)
    codes.scale[g] = load_le<std::uint16_t>(block + kScalesAt + 2 * (g / 4)) >> 3 * (g % 4) & 7;
  return f16_to_f32(factor_bits(block));
}

const char* defect(const std::uint8_t* block) noexcept {
  return (factor_bits(block) & 0x7C00U) == 0x7C00U ? kBadScale : nullptr;
}

constexpr auto kMultipliers = even_steps<8>(1, 2);
constexpr VectorGrid kGrid{.width = 8,
                           .points = coordinates(kIq1Grid),
                           .n_points = kIq1Grid.size(),
                           .signs = VectorGrid::Signs::none,
                           .group_cells = 2,
                           .multipliers = kMultipliers,
                           .shift = kIq1Shift,
                           .shift_cells = 1,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq1_m{.name = "IQ1_M",
                       .gguf_type = 29,
                       .block_size = kSuperBlock,
                       .block_bytes = kBytes,
                       .summary = "vectors of 8 from a ternary codebook of 2048, shift per 8",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = nullptr,
                       .defect = defect,
                       .vectors = &kGrid};

}  // namespace kerf::formats

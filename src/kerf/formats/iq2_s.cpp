// IQ2_S: 256 numbers in 16 groups of 16; a group is 2 vectors of 8 from a codebook of 1024, with any signs.
// x = d · (scale + 1/2) / 4 · ±vector, scale in 0 … 15.
// Source: GGUF tensor type 22.
//
//   byte 0     f16 d
//   byte 2     32 bytes: low eight bits of the index of vector v
//   byte 34    32 bytes: signs of vector v
//   byte 66    8 bytes: high two bits of the indices of vectors 4j + k in bits 2k and 2k + 1 of byte j
//   byte 74    8 bytes: scales of groups 2j and 2j + 1 in the low and high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 82;
constexpr std::size_t kLowAt = 2;
constexpr std::size_t kSignsAt = 34;
constexpr std::size_t kHighAt = 66;
constexpr std::size_t kScalesAt = 74;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src);
    for (std::size_t g = 0; g < 16; ++g) {
      const int stored = src[kScalesAt + g / 2] >> 4 * (g % 2) & 15;
      const float scale = d * (0.5F + static_cast<float>(stored)) * 0.25F;
      for (std::size_t v = 2 * g; v < 2 * g + 2; ++v, dst += 8) {
        const unsigned high = src[kHighAt + v / 4] >> 2 * (v % 4) & 3U;
        write_signed(word_of(kIq2SGrid[src[kLowAt + v] | high << 8]), src[kSignsAt + v], scale, dst);
      }
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  std::memset(block + kHighAt, 0, 8);
  for (std::size_t v = 0; v < 32; ++v) {
    block[kLowAt + v] = static_cast<std::uint8_t>(codes.point[v][0]);
    block[kSignsAt + v] = codes.negative[v];
    block[kHighAt + v / 4] |= static_cast<std::uint8_t>(codes.point[v][0] >> 8 << 2 * (v % 4));
  }
  store_scale_nibbles(codes, block + kScalesAt);
  return store_f16(factor, block);
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t v = 0; v < 32; ++v) {
    const unsigned high = block[kHighAt + v / 4] >> 2 * (v % 4) & 3U;
    codes.point[v][0] = static_cast<std::uint16_t>(block[kLowAt + v] | high << 8);
    codes.negative[v] = block[kSignsAt + v];
  }
  load_scale_nibbles(block + kScalesAt, codes);
  return load_f16(block);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr auto kMultipliers = even_steps<16>(0.125F, 0.25F);
constexpr VectorGrid kGrid{.width = 8,
                           .points = coordinates(kIq2SGrid),
                           .n_points = kIq2SGrid.size(),
                           .signs = VectorGrid::Signs::any,
                           .group_cells = 2,
                           .multipliers = kMultipliers,
                           .shift = 0,
                           .shift_cells = 1,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq2_s{.name = "IQ2_S",
                       .gguf_type = 22,
                       .block_size = kSuperBlock,
                       .block_bytes = kBytes,
                       .summary = "vectors of 8 from a codebook of 1024, any signs",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = nullptr,
                       .defect = defect,
                       .vectors = &kGrid};

}  // namespace kerf::formats

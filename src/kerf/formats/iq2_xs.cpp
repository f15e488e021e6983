// IQ2_XS: 256 numbers in 16 groups of 16; a group is 2 vectors of 8 from a codebook of 512, with signs.
// x = d · (scale + 1/2) / 4 · ±vector, scale in 0 … 15.
// Source: GGUF tensor type 17.
//
//   byte 0     f16 d
//   byte 2     a u16 for each vector: its index in bits 0 … 8, its signs in bits 9 … 15 (even_signs)
//   byte 66    8 bytes: scales of groups 2j and 2j + 1 in the low and high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 74;
constexpr std::size_t kScalesAt = 66;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src);
    for (std::size_t g = 0; g < 16; ++g) {
      const int stored = src[kScalesAt + g / 2] >> 4 * (g % 2) & 15;
      const float scale = d * (0.5F + static_cast<float>(stored)) * 0.25F;
      for (std::size_t v = 2 * g; v < 2 * g + 2; ++v, dst += 8) {
        const unsigned code = load_le<std::uint16_t>(src + 2 + 2 * v);
        write_signed(word_of(kIq2XsGrid[code & 511]), even_signs(code >> 9), scale, dst);
      }
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  for (std::size_t v = 0; v < 32; ++v)
    store_le(block + 2 + 2 * v,
             static_cast<std::uint16_t>(codes.point[v][0] | (codes.negative[v] & 127U) << 9));
  store_scale_nibbles(codes, block + kScalesAt);
  return store_f16(factor, block);
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t v = 0; v < 32; ++v) {
    const unsigned code = load_le<std::uint16_t>(block + 2 + 2 * v);
    codes.point[v][0] = code & 511;
    codes.negative[v] = static_cast<std::uint8_t>(even_signs(code >> 9));
  }
  load_scale_nibbles(block + kScalesAt, codes);
  return load_f16(block);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr auto kMultipliers = even_steps<16>(0.125F, 0.25F);
constexpr VectorGrid kGrid{.width = 8,
                           .points = coordinates(kIq2XsGrid),
                           .n_points = kIq2XsGrid.size(),
                           .signs = VectorGrid::Signs::even,
                           .group_cells = 2,
                           .multipliers = kMultipliers,
                           .shift = 0,
                           .shift_cells = 1,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq2_xs{.name = "IQ2_XS",
                        .gguf_type = 17,
                        .block_size = kSuperBlock,
                        .block_bytes = kBytes,
                        .summary = "vectors of 8 from a codebook of 512, even signs",
                        .decode = decode,
                        .encode_plain = nullptr,
                        .grid = nullptr,
                        .defect = defect,
                        .vectors = &kGrid};

}  // namespace kerf::formats

// IQ2_XXS: 256 numbers in 8 groups of 32; a group is 4 vectors of 8 from a codebook of 256, with signs.
// x = d · (scale + 1/2) / 4 · ±vector, scale in 0 … 15.
// Source: GGUF tensor type 16.
//
//   byte 0     f16 d
//   byte 2     8 bytes for each group: the indices of its 4 vectors, then a u32 with the signs of vector k in
//              bits 7k … 7k + 6 (even_signs) and scale in bits 28 … 31
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 66;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src);
    for (const std::uint8_t* group = src + 2; group < src + kBytes; group += 8) {
      const auto signs_and_scale = load_le<std::uint32_t>(group + 4);
      const float scale = d * (0.5F + static_cast<float>(signs_and_scale >> 28)) * 0.25F;
      for (int k = 0; k < 4; ++k, dst += 8)
        write_signed(word_of(kIq2XxsGrid[group[k]]), even_signs(signs_and_scale >> 7 * k & 127), scale, dst);
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < 8; ++g) {
    std::uint8_t* group = block + 2 + 8 * g;
    std::uint32_t signs_and_scale = static_cast<std::uint32_t>(codes.scale[g]) << 28;
    for (std::size_t k = 0; k < 4; ++k) {
      group[k] = static_cast<std::uint8_t>(codes.point[4 * g + k][0]);
      signs_and_scale |= (codes.negative[4 * g + k] & 127U) << 7 * k;
    }
    store_le(group + 4, signs_and_scale);
  }
  return store_f16(factor, block);
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t g = 0; g < 8; ++g) {
    const std::uint8_t* group = block + 2 + 8 * g;
    const auto signs_and_scale = load_le<std::uint32_t>(group + 4);
    codes.scale[g] = static_cast<std::uint8_t>(signs_and_scale >> 28);
    for (std::size_t k = 0; k < 4; ++k) {
      codes.point[4 * g + k][0] = group[k];
      codes.negative[4 * g + k] = static_cast<std::uint8_t>(even_signs(signs_and_scale >> 7 * k & 127));
    }
  }
  return load_f16(block);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr auto kMultipliers = even_steps<16>(0.125F, 0.25F);
constexpr VectorGrid kGrid{.width = 8,
                           .points = coordinates(kIq2XxsGrid),
                           .n_points = kIq2XxsGrid.size(),
                           .signs = VectorGrid::Signs::even,
                           .group_cells = 4,
                           .multipliers = kMultipliers,
                           .shift = 0,
                           .shift_cells = 1,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq2_xxs{.name = "IQ2_XXS",
                         .gguf_type = 16,
                         .block_size = kSuperBlock,
                         .block_bytes = kBytes,
                         .summary = "vectors of 8 from a codebook of 256, even signs",
                         .decode = decode,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = defect,
                         .vectors = &kGrid};

}  // namespace kerf::formats

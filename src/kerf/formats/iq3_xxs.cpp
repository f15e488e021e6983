// IQ3_XXS: 256 numbers in 8 groups of 32; a group is 8 vectors of 4 from a codebook of 256, with signs.
// x = d · (scale + 1/2) / 2 · ±vector, scale in 0 … 15.
// Source: GGUF tensor type 18.
//
//   byte 0     f16 d
//   byte 2     64 bytes: indices of the vectors
//   byte 66    a u32 for each group: signs of vectors 2k and 2k + 1 in bits 7k … 7k + 6 (even_signs), scale
//   in
//              bits 28 … 31
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 98;
constexpr std::size_t kSignsAt = 66;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src);
    const std::uint8_t* index = src + 2;
    for (std::size_t g = 0; g < 8; ++g) {
      const auto signs_and_scale = load_le<std::uint32_t>(src + kSignsAt + 4 * g);
      const float scale = d * (0.5F + static_cast<float>(signs_and_scale >> 28)) * 0.5F;
      for (int k = 0; k < 4; ++k, index += 2, dst += 8) {
        const unsigned signs = even_signs(signs_and_scale >> 7 * k & 127);
        write_signed(word_of(kIq3XxsGrid[index[0]], kIq3XxsGrid[index[1]]), signs, scale, dst);
      }
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  for (std::size_t g = 0; g < 8; ++g) {
    std::uint32_t signs_and_scale = static_cast<std::uint32_t>(codes.scale[g]) << 28;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t c = 4 * g + k;
      block[2 + 2 * c] = static_cast<std::uint8_t>(codes.point[c][0]);
      block[3 + 2 * c] = static_cast<std::uint8_t>(codes.point[c][1]);
      signs_and_scale |= (codes.negative[c] & 127U) << 7 * k;
    }
    store_le(block + kSignsAt + 4 * g, signs_and_scale);
  }
  return store_f16(factor, block);
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t c = 0; c < 32; ++c) {
    const auto signs_and_scale = load_le<std::uint32_t>(block + kSignsAt + 4 * (c / 4));
    codes.scale[c / 4] = static_cast<std::uint8_t>(signs_and_scale >> 28);
    codes.point[c][0] = block[2 + 2 * c];
    codes.point[c][1] = block[3 + 2 * c];
    codes.negative[c] = static_cast<std::uint8_t>(even_signs(signs_and_scale >> 7 * (c % 4) & 127));
  }
  return load_f16(block);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr auto kMultipliers = even_steps<16>(0.25F, 0.5F);
constexpr VectorGrid kGrid{.width = 4,
                           .points = coordinates(kIq3XxsGrid),
                           .n_points = kIq3XxsGrid.size(),
                           .signs = VectorGrid::Signs::even,
                           .group_cells = 4,
                           .multipliers = kMultipliers,
                           .shift = 0,
                           .shift_cells = 1,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq3_xxs{.name = "IQ3_XXS",
                         .gguf_type = 18,
                         .block_size = kSuperBlock,
                         .block_bytes = kBytes,
                         .summary = "vectors of 4 from a codebook of 256, even signs",
                         .decode = decode,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = defect,
                         .vectors = &kGrid};

}  // namespace kerf::formats

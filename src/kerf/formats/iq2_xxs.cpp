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

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

}  // namespace

constexpr Format iq2_xxs{.name = "IQ2_XXS",
                         .gguf_type = 16,
                         .block_size = kSuperBlock,
                         .block_bytes = kBytes,
                         .summary = "vectors of 8 from a codebook of 256, even signs",
                         .decode = decode,
                         .encode_plain = nullptr,
                         .grid = nullptr,
                         .defect = defect};

}  // namespace kerf::formats

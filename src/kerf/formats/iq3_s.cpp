// IQ3_S: 256 numbers in 8 groups of 32; a group is 8 vectors of 4 from a codebook of 512, with any signs.
// x = d · (2·scale + 1) · ±vector, scale in 0 … 15.
// Source: GGUF tensor type 21.
//
//   byte 0     f16 d
//   byte 2     64 bytes: low eight bits of the index of vector v
//   byte 66    8 bytes: ninth bit of the index of vector 8g + k in bit k of byte g
//   byte 74    32 bytes: signs of vectors 2j and 2j + 1 in the low and high nibble of byte j
//   byte 106   4 bytes: scales of groups 2j and 2j + 1 in the low and high nibble of byte j
#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/k_scales.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBytes = 110;
constexpr std::size_t kLowAt = 2;
constexpr std::size_t kHighAt = 66;
constexpr std::size_t kSignsAt = 74;
constexpr std::size_t kScalesAt = 106;

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t b = 0; b < n / kSuperBlock; ++b, src += kBytes) {
    const float d = load_f16(src);
    for (std::size_t g = 0; g < 8; ++g) {
      const int stored = src[kScalesAt + g / 2] >> 4 * (g % 2) & 15;
      const float scale = d * static_cast<float>(2 * stored + 1);
      const std::uint8_t* low = src + kLowAt + 8 * g;
      const unsigned high = static_cast<unsigned>(src[kHighAt + g]) << 8;
      for (std::size_t k = 0; k < 8; k += 2, dst += 8) {
        const auto& first = kIq3SGrid[low[k] | (high >> k & 256)];
        const auto& second = kIq3SGrid[low[k + 1] | (high >> (k + 1) & 256)];
        write_signed(word_of(first, second), src[kSignsAt + 4 * g + k / 2], scale, dst);
      }
    }
  }
}

float store(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
  std::memset(block + kHighAt, 0, 8);
  for (std::size_t v = 0; v < 64; ++v) {
    const unsigned point = codes.point[v / 2][v % 2];
    block[kLowAt + v] = static_cast<std::uint8_t>(point);
    block[kHighAt + v / 8] |= static_cast<std::uint8_t>(point >> 8 << v % 8);
  }
  std::memcpy(block + kSignsAt, codes.negative, 32);
  for (std::size_t j = 0; j < 4; ++j)
    block[kScalesAt + j] = static_cast<std::uint8_t>(codes.scale[2 * j] | codes.scale[2 * j + 1] << 4);
  return store_f16(factor, block);
}

float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
  codes = {};
  for (std::size_t v = 0; v < 64; ++v) {
    const unsigned high = static_cast<unsigned>(block[kHighAt + v / 8]) >> v % 8 & 1U;
    codes.point[v / 2][v % 2] = static_cast<std::uint16_t>(block[kLowAt + v] | high << 8);
  }
  std::memcpy(codes.negative, block + kSignsAt, 32);
  for (std::size_t g = 0; g < 8; ++g) codes.scale[g] = block[kScalesAt + g / 2] >> 4 * (g % 2) & 15;
  return load_f16(block);
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr auto kMultipliers = even_steps<16>(1, 2);
constexpr VectorGrid kGrid{.width = 4,
                           .points = coordinates(kIq3SGrid),
                           .n_points = kIq3SGrid.size(),
                           .signs = VectorGrid::Signs::any,
                           .group_cells = 4,
                           .multipliers = kMultipliers,
                           .shift = 0,
                           .shift_cells = 1,
                           .has_factor = true,
                           .store = store,
                           .load = load};

}  // namespace

constexpr Format iq3_s{.name = "IQ3_S",
                       .gguf_type = 21,
                       .block_size = kSuperBlock,
                       .block_bytes = kBytes,
                       .summary = "vectors of 4 from a codebook of 512, any signs",
                       .decode = decode,
                       .encode_plain = nullptr,
                       .grid = nullptr,
                       .defect = defect,
                       .vectors = &kGrid};

}  // namespace kerf::formats

// K1.5, K2, K2.5, K3, K3.5: exactly that many bits per number, in short blocks, for rows of any length. A
// bf16 scale heads each row; eight numbers are a point of E8 + 1/4 (e8_points.h).
//
//   x̂ = row scale · m · (±4v ± 1)   v: a point of 8 coordinates, or two of 4
//
//          block   cell of 8 numbers             points         m
//   K1.5   32      12 bits: shift, 7 signs, 4    16 of 8        1
//   K2     16      16 bits: shift, 7 signs, 8    256 of 8       1
//   K2.5   32      19 bits: shift, 7 signs, 11   2048 of 8      4 bits per 32
//   K3     16      22 bits: shift, 7 signs, 7+7  128 of 4       4 bits per 16
//   K3.5   16      26 bits: shift, 7 signs, 9+9  512 of 4       4 bits per 16
//
// A block is a string of bits, lowest first: its cells, each as the table lists it, then the code of m.
// Shift: 1 subtracts. Bit i of the signs: number i changes its sign; the eighth makes the count even. m is 16
// · 2^(k/6) rounded to an integer.
#include <cmath>

#include "kerf/formats/bytes16.h"
#include "kerf/formats/e8_points.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"
#include "kerf/formats/row_scaled.h"
#include "kerf/formats/vector_grid.h"

namespace kerf::formats {
namespace {

constexpr std::array<float, 1> kOneMultiplier = {1};
constexpr std::array<float, 16> kSixthsOfOctaves = {16, 18, 20, 23, 25, 29, 32, 36,
                                                    40, 45, 51, 57, 64, 72, 81, 91};

constexpr auto kPoints16 = shortest_points<16, 8, 2>();
constexpr auto kPoints256 = shortest_points<256, 8, 3>();
constexpr auto kPoints2048 = shortest_points<2048, 8, 4>();
constexpr auto kPoints128 = shortest_points<128, 4, 8>();
constexpr auto kPoints512 = shortest_points<512, 4, 8>();

/// A block of kCells cells whose points come from a codebook of [2^n, 8] or [2^n, 4].
template <const auto& codebook, std::size_t kCells, const auto& multipliers>
struct E8Block {
  static constexpr std::size_t kWidth = codebook[0].size();
  static constexpr std::size_t kPerCell = 8 / kWidth;
  static constexpr unsigned kIndexBits = std::bit_width(codebook.size() - 1);
  static constexpr unsigned kCellBits = 8 + kPerCell * kIndexBits;
  static constexpr unsigned kScaleBits = std::bit_width(multipliers.size() - 1);
  static constexpr std::size_t kBytes = (kCells * kCellBits + kScaleBits) / 8;
  static_assert((kCells * kCellBits + kScaleBits) % 8 == 0 && kBytes >= 4);

  /// Bits first … first + n − 1 of a block; four bytes of it hold them.
  static unsigned bits(const std::uint8_t* block, std::size_t first, unsigned n) noexcept {
    const std::size_t at = std::min(first / 8, kBytes - 4);
    return load_le<std::uint32_t>(block + at) >> (first - 8 * at) & ((1U << n) - 1);
  }
  static void add_bits(unsigned value, std::size_t first, std::uint8_t* block) noexcept {
    const std::size_t at = std::min(first / 8, kBytes - 4);
    store_le(block + at, load_le<std::uint32_t>(block + at) | value << (first - 8 * at));
  }
  static unsigned scale_of(const std::uint8_t* block) noexcept {
    return kScaleBits == 0 ? 0 : bits(block, kCells * kCellBits, kScaleBits);
  }

  static std::uint64_t coordinates_of(unsigned indices) noexcept {
    if constexpr (kWidth == 8)
      return word_of(codebook[indices]);
    else
      return word_of(codebook[indices & (codebook.size() - 1)], codebook[indices >> kIndexBits]);
  }

  [[gnu::always_inline]] static inline void decode_cell(unsigned cell, float scale,
                                                        float* __restrict dst) noexcept {
    // As in write_signed(): no coordinate is 0.
    const std::uint64_t ones = spread_bits(static_cast<std::uint8_t>(even_signs(cell >> 1 & 127)));
    const std::uint64_t word = (coordinates_of(cell >> 8) ^ ones * 0xFF) + ones;
    const auto values = std::bit_cast<std::array<std::int8_t, 8>>(word);
    const int shift = 1 - 2 * static_cast<int>(cell & 1);
    KERF_KEEP_LOOP
    for (std::size_t i = 0; i < 8; ++i) dst[i] = scale * static_cast<float>(values[i] + shift);
  }

  [[gnu::always_inline]] static inline void decode_blocks(const std::uint8_t* __restrict src,
                                                          float* __restrict dst, std::size_t n) noexcept {
    for (std::size_t b = 0; b < n / (8 * kCells); ++b, src += kBytes) {
      const float scale = multipliers[scale_of(src)];
      for (std::size_t c = 0; c < kCells; ++c, dst += 8)
        decode_cell(bits(src, c * kCellBits, kCellBits), scale, dst);
    }
  }

  static float store(float, const VectorCodes& codes, std::uint8_t* block) noexcept {
    std::memset(block, 0, kBytes);
    for (std::size_t c = 0; c < kCells; ++c) {
      unsigned cell = codes.shift_down[c] | (codes.negative[c] & 127U) << 1;
      for (std::size_t p = 0; p < kPerCell; ++p)
        cell |= static_cast<unsigned>(codes.point[c][p]) << (8 + p * kIndexBits);
      add_bits(cell, c * kCellBits, block);
    }
    if (kScaleBits != 0) add_bits(codes.scale[0], kCells * kCellBits, block);
    return 1.0F;
  }

  static float load(const std::uint8_t* block, VectorCodes& codes) noexcept {
    codes = {};
    for (std::size_t c = 0; c < kCells; ++c) {
      const unsigned cell = bits(block, c * kCellBits, kCellBits);
      codes.shift_down[c] = cell & 1;
      codes.negative[c] = static_cast<std::uint8_t>(even_signs(cell >> 1 & 127));
      for (std::size_t p = 0; p < kPerCell; ++p)
        codes.point[c][p] = cell >> (8 + p * kIndexBits) & (codebook.size() - 1);
    }
    codes.scale[0] = static_cast<std::uint8_t>(scale_of(block));
    return 1.0F;
  }

  static constexpr VectorGrid kGrid{.width = kWidth,
                                    .points = coordinates(codebook),
                                    .n_points = codebook.size(),
                                    .signs = VectorGrid::Signs::even,
                                    .group_cells = kCells,
                                    .multipliers = multipliers,
                                    .shift = 1,
                                    .shift_cells = 1,
                                    .has_factor = false,
                                    .store = store,
                                    .load = load};

  using Decode = void (*)(const std::uint8_t*, float*, std::size_t) noexcept;
  static constexpr Format format(std::string_view name, Decode decode) noexcept {
    return {.name = name,
            .gguf_type = kNoGgufType,
            .block_size = 8 * kCells,
            .block_bytes = kBytes,
            .summary = "blocks of another format",
            .decode = decode,
            .encode_plain = nullptr,
            .grid = nullptr,
            .defect = nullptr,
            .vectors = &kGrid};
  }
};

using K1_5 = E8Block<kPoints16, 4, kOneMultiplier>;
using K2 = E8Block<kPoints256, 2, kOneMultiplier>;
using K2_5 = E8Block<kPoints2048, 4, kSixthsOfOctaves>;
using K3 = E8Block<kPoints128, 2, kSixthsOfOctaves>;
using K3_5 = E8Block<kPoints512, 2, kSixthsOfOctaves>;

KERF_CLONES void decode_k1_5(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  K1_5::decode_blocks(src, dst, n);
}
KERF_CLONES void decode_k2(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  K2::decode_blocks(src, dst, n);
}
KERF_CLONES void decode_k2_5(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  K2_5::decode_blocks(src, dst, n);
}
KERF_CLONES void decode_k3(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  K3::decode_blocks(src, dst, n);
}
KERF_CLONES void decode_k3_5(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  K3_5::decode_blocks(src, dst, n);
}

constexpr Format k1_5_block = K1_5::format("K1.5_block", decode_k1_5);
constexpr Format k2_block = K2::format("K2_block", decode_k2);
constexpr Format k2_5_block = K2_5::format("K2.5_block", decode_k2_5);
constexpr Format k3_block = K3::format("K3_block", decode_k3);
constexpr Format k3_5_block = K3_5::format("K3.5_block", decode_k3_5);

// Reach: the largest multiplier times the largest coordinate and the shift.
constexpr RowScale k1_5_rule = {&k1_5_block, RowScale::Type::bf16, 11.0F, 1.0F};
constexpr RowScale k2_rule = {&k2_block, RowScale::Type::bf16, 11.0F, 1.0F};
constexpr RowScale k2_5_rule = {&k2_5_block, RowScale::Type::bf16, 91 * 15.0F, 1.0F};
constexpr RowScale k3_rule = {&k3_block, RowScale::Type::bf16, 91 * 31.0F, 1.0F};
constexpr RowScale k3_5_rule = {&k3_5_block, RowScale::Type::bf16, 91 * 31.0F, 1.0F};

constexpr Format kFormats[] = {
    row_scaled<k1_5_block, k1_5_rule>("K1.5", "16 points of E8 + 1/4 per 8, bf16 scale per row"),
    row_scaled<k2_block, k2_rule>("K2", "256 points of E8 + 1/4 per 8 (E8P), bf16 scale per row"),
    row_scaled<k2_5_block, k2_5_rule>("K2.5", "2048 points of E8 + 1/4 per 8, 4-bit scale per 32"),
    row_scaled<k3_block, k3_rule>("K3", "pairs of 128 points of 4 in E8 + 1/4, 4-bit scale per 16"),
    row_scaled<k3_5_block, k3_5_rule>("K3.5", "pairs of 512 points of 4 in E8 + 1/4, 4-bit scale per 16")};

}  // namespace

constexpr std::span<const Format> e8_family = kFormats;

}  // namespace kerf::formats

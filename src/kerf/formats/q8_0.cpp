// Q8_0: blocks of 32 numbers, 8 bits each, x = d·q with q in [−128, 127]. Layout of GGUF, type 8; do not
// renumber.
//
//   offset  bytes
//        0      2  binary16 scale d
//        2     32  q as two's complement
#include <array>

#include "kerf/formats/block32.h"
#include "kerf/formats/format.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 32;
constexpr std::size_t kBytes = 34;
constexpr auto kLevels = [] {
  std::array<float, 256> levels{};
  for (int code = 0; code < 256; ++code)
    levels[static_cast<std::size_t>(code)] = static_cast<float>(code - 128);
  return levels;
}();

KERF_CLONES void decode(const std::uint8_t* __restrict src, float* __restrict dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; i += kBlock, src += kBytes) {
    const float d = load_f16(src);
    for (std::size_t j = 0; j < kBlock; ++j)
      dst[i + j] = static_cast<float>(static_cast<std::int8_t>(src[2 + j])) * d;
  }
}

void store_parameters(float* scale, float* /*offset*/, std::uint8_t* block) noexcept {
  scale[0] = store_f16(scale[0], block);
}

// Code c stands for level c − 128: flipping the top bit turns one into the other.
void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  for (std::size_t j = 0; j < kBlock; ++j) block[2 + j] = codes[j] ^ 0x80U;
}

void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  scale[0] = load_f16(block);
  offset[0] = 0.0F;
  for (std::size_t j = 0; j < kBlock; ++j) codes[j] = block[2 + j] ^ 0x80U;
}

const char* defect(const std::uint8_t* block) noexcept {
  return finite_f16(block) ? nullptr : kBadScale;
}

constexpr Grid kGrid{.n_groups = 1,
                     .levels = kLevels,
                     .uniform = true,
                     .scale_sign = Grid::Sign::any,
                     .has_offset = false,
                     .offset_sign = Grid::Sign::any,
                     .store_parameters = store_parameters,
                     .store_codes = store_codes,
                     .load = load};

}  // namespace

constexpr Format q8_0{.name = "Q8_0",
                      .gguf_type = 8,
                      .block_size = kBlock,
                      .block_bytes = kBytes,
                      .summary = "8 bits, one scale per 32",
                      .decode = decode,
                      .encode_plain = nullptr,
                      .grid = &kGrid,
                      .defect = defect};

}  // namespace kerf::formats

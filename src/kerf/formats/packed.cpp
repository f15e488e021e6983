#include "kerf/formats/packed.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "kerf/formats/block32.h"
#include "kerf/numbers/float16.h"
#include "kerf/numbers/minifloat.h"

namespace kerf::formats {
namespace {

#define KERF_INLINE_PACKED [[gnu::always_inline]] inline

typedef std::uint64_t Words8 __attribute__((vector_size(64)));
typedef std::int32_t Ints8 __attribute__((vector_size(32)));
typedef float Floats8 __attribute__((vector_size(32)));

constexpr std::size_t kLongestBlock = 256;

/// Eight codes are kBits bytes. By reference: to return a wide vector would be an ABI of its own.
template <unsigned kBits>
KERF_INLINE_PACKED void unpack8(const std::uint8_t* src, Ints8& unpacked) noexcept {
  std::uint64_t bits = 0;
  std::memcpy(&bits, src, kBits);
  const Words8 word = bits - Words8{};
  const Words8 codes =
      (word >> Words8{0, kBits, 2 * kBits, 3 * kBits, 4 * kBits, 5 * kBits, 6 * kBits, 7 * kBits}) &
      ((1U << kBits) - 1U);
  unpacked = __builtin_convertvector(codes, Ints8);
}

struct Parameters {
  float scale, offset;
};

KERF_INLINE_PACKED float load_scale(ScaleType type, const std::uint8_t* block) noexcept {
  switch (type) {
    case ScaleType::f16:
      return load_f16(block);
    case ScaleType::bf16:
      return bf16_to_f32(load_le<std::uint16_t>(block));
    case ScaleType::e4m3:
      return e4m3_to_f32(block[0]);
    case ScaleType::u8:
      return static_cast<float>(block[0]) * 0x1p-6F;
    case ScaleType::none:
      break;
  }
  return 1.0F;
}

KERF_INLINE_PACKED int load_zero(const PackedLayout& layout, const std::uint8_t* block) noexcept {
  return static_cast<std::int8_t>(block[layout.scale_bytes()]) + (1 << (layout.bits - 1));
}

KERF_INLINE_PACKED Parameters load_parameters(const PackedLayout& layout,
                                              const std::uint8_t* block) noexcept {
  const float scale = load_scale(layout.scale, block);
  switch (layout.offset) {
    case OffsetType::zero:
      return {scale, -scale * static_cast<float>(load_zero(layout, block))};
    case OffsetType::f16:
      return {scale, load_f16(block + layout.scale_bytes())};
    case OffsetType::none:
      break;
  }
  return {scale, 0.0F};
}

template <unsigned kBits>
KERF_INLINE_PACKED void decode_uniform(const PackedLayout& layout, const std::uint8_t* block,
                                       float* dst) noexcept {
  const auto [scale, offset] = load_parameters(layout, block);
  const float lowest = layout.levels[0];
  const std::uint8_t* codes = block + layout.codes_at();
  for (std::size_t i = 0; i < layout.group; i += 8, codes += kBits) {
    Ints8 code;
    unpack8<kBits>(codes, code);
    const Floats8 level = __builtin_convertvector(code, Floats8) + lowest;
    const Floats8 x = scale * level + offset;
    std::memcpy(dst + i, &x, sizeof x);
  }
}

template <unsigned kBits>
KERF_INLINE_PACKED void decode_table(const PackedLayout& layout, const std::uint8_t* block,
                                     float* dst) noexcept {
  const float scale = load_scale(layout.scale, block);
  const std::int32_t last = layout.n_levels - 1;
  const float* levels = layout.levels;
  const std::uint8_t* codes = block + layout.codes_at();
  for (std::size_t i = 0; i < layout.group; i += 8, codes += kBits) {
    Ints8 code;
    unpack8<kBits>(codes, code);
    for (std::size_t j = 0; j < 8; ++j) dst[i + j] = scale * levels[code[j] < last ? code[j] : last];
  }
}

template <unsigned kBits>
KERF_INLINE_PACKED void decode_blocks(const PackedLayout& layout, const std::uint8_t* src, float* dst,
                                      std::size_t n_blocks) noexcept {
  const std::size_t block_bytes = layout.block_bytes();
  if (layout.uniform)
    for (std::size_t b = 0; b < n_blocks; ++b)
      decode_uniform<kBits>(layout, src + b * block_bytes, dst + b * layout.group);
  else
    for (std::size_t b = 0; b < n_blocks; ++b)
      decode_table<kBits>(layout, src + b * block_bytes, dst + b * layout.group);
}

KERF_CLONES void decode_whole_blocks(const PackedLayout& layout, const std::uint8_t* src, float* dst,
                                     std::size_t n_blocks) noexcept {
  switch (layout.bits) {
    case 1:
      return decode_blocks<1>(layout, src, dst, n_blocks);
    case 2:
      return decode_blocks<2>(layout, src, dst, n_blocks);
    case 3:
      return decode_blocks<3>(layout, src, dst, n_blocks);
    case 4:
      return decode_blocks<4>(layout, src, dst, n_blocks);
    case 5:
      return decode_blocks<5>(layout, src, dst, n_blocks);
    case 6:
      return decode_blocks<6>(layout, src, dst, n_blocks);
    case 7:
      return decode_blocks<7>(layout, src, dst, n_blocks);
    default:
      return decode_blocks<8>(layout, src, dst, n_blocks);
  }
}

/// Largest scale whose products with the levels are finite.
float most_scale(const PackedLayout& layout) noexcept {
  const float reach = layout.offset == OffsetType::zero ? 512.0F : 2.0F * layout.reach();
  return std::numeric_limits<float>::max() / reach;
}

float store_scale(const PackedLayout& layout, float scale, std::uint8_t* block) noexcept {
  if (!layout.scale_may_be_negative) scale = std::max(scale, 0.0F);
  switch (layout.scale) {
    case ScaleType::f16:
      return store_f16(scale, block);
    case ScaleType::bf16: {
      // Nor subnormal scales: the inverse would be infinite.
      const float most = most_scale(layout);
      const float usable = std::fabs(scale) < std::numeric_limits<float>::min() ? 0.0F : scale;
      const std::uint16_t bits = f32_to_bf16(std::clamp(usable, -most, most));
      store_le(block, bits);
      return bf16_to_f32(bits);
    }
    case ScaleType::e4m3:
      block[0] = f32_to_e4m3(scale);
      // Three bits of mantissa: where steps are fine, a scale that is too wide costs less than clipping.
      if ((layout.bits > 4 || layout.offset == OffsetType::zero) && (block[0] & 0x7F) < 0x7E &&
          std::fabs(e4m3_to_f32(block[0])) < std::fabs(scale))
        ++block[0];
      return e4m3_to_f32(block[0]);
    case ScaleType::u8:
      block[0] = static_cast<std::uint8_t>(std::rint(std::clamp(scale, 0.0F, 255.0F / 64) * 64.0F));
      return load_scale(ScaleType::u8, block);
    case ScaleType::none:
      break;
  }
  return 1.0F;
}

/// Zero points have a range: where the numbers lie too far from zero for it, the scale grows.
void store_zero(const PackedLayout& layout, float& scale, float& offset, std::uint8_t* block) noexcept {
  const auto limit = static_cast<float>(offset < 0 ? layout.most_zero() : layout.least_zero());
  if (limit != 0.0F && std::fabs(offset) > scale * std::fabs(limit))
    scale = store_scale(layout, std::fabs(offset / limit), block);
  const float wanted = scale == 0.0F ? 0.0F : -offset / scale;
  const float zero = std::rint(
      std::clamp(wanted, static_cast<float>(layout.least_zero()), static_cast<float>(layout.most_zero())));
  const int stored = static_cast<int>(zero) - (1 << (layout.bits - 1));
  block[layout.scale_bytes()] = static_cast<std::uint8_t>(static_cast<std::int8_t>(stored));
  offset = -scale * zero;
}

/// The index of the nearest level. x is not NaN.
std::uint8_t nearest_code(const PackedLayout& layout, float x) noexcept {
  const float* end = layout.levels + layout.n_levels;
  const float* above = std::lower_bound(layout.levels, end, x);
  if (above == layout.levels) return 0;
  if (above == end || x - above[-1] < above[0] - x) --above;
  return static_cast<std::uint8_t>(above - layout.levels);
}

/// An even integer where it lies in the middle.
std::uint8_t nearest_uniform(const PackedLayout& layout, float x) noexcept {
  const float lowest = layout.levels[0];
  const float level = std::rint(std::clamp(x, lowest, layout.levels[layout.n_levels - 1]));
  return static_cast<std::uint8_t>(static_cast<int>(level - lowest));
}

}  // namespace

void decode_packed(const PackedLayout& layout, const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  const std::size_t n_blocks = n / layout.group;
  decode_whole_blocks(layout, src, dst, n_blocks);
  const std::size_t done = n_blocks * layout.group;
  if (done == n) return;
  float last[kLongestBlock];
  decode_whole_blocks(layout, src + n_blocks * layout.block_bytes(), last, 1);
  std::copy_n(last, n - done, dst + done);
}

void encode_packed(const PackedLayout& layout, const float* src, std::uint8_t* dst, std::size_t n) noexcept {
  std::uint8_t codes[kLongestBlock];
  for (std::size_t i = 0; i < n; i += layout.group, dst += layout.block_bytes()) {
    const std::size_t n_here = std::min<std::size_t>(layout.group, n - i);
    std::fill_n(codes, layout.group, std::uint8_t{0});
    for (std::size_t j = 0; j < n_here; ++j)
      codes[j] = layout.uniform ? nearest_uniform(layout, src[i + j]) : nearest_code(layout, src[i + j]);
    store_packed_codes(layout, codes, dst);
  }
}

void store_packed_parameters(const PackedLayout& layout, float* scale, float* offset,
                             std::uint8_t* block) noexcept {
  scale[0] = store_scale(layout, scale[0], block);
  switch (layout.offset) {
    case OffsetType::zero:
      return store_zero(layout, scale[0], offset[0], block);
    case OffsetType::f16:
      offset[0] = store_f16(offset[0], block + layout.scale_bytes());
      return;
    case OffsetType::none:
      offset[0] = 0.0F;
  }
}

void store_packed_codes(const PackedLayout& layout, const std::uint8_t* codes, std::uint8_t* block) noexcept {
  std::uint8_t* dst = block + layout.codes_at();
  for (std::size_t i = 0; i < layout.group; i += 8, dst += layout.bits) {
    std::uint64_t word = 0;
    for (std::size_t j = 0; j < 8; ++j) word |= std::uint64_t{codes[i + j]} << (layout.bits * j);
    std::memcpy(dst, &word, layout.bits);
  }
}

void load_packed(const PackedLayout& layout, const std::uint8_t* block, float* scale, float* offset,
                 std::uint8_t* codes) noexcept {
  const Parameters parameters = load_parameters(layout, block);
  scale[0] = parameters.scale;
  offset[0] = parameters.offset;
  const std::uint64_t mask = (1U << layout.bits) - 1U;
  const std::uint8_t* src = block + layout.codes_at();
  for (std::size_t i = 0; i < layout.group; i += 8, src += layout.bits) {
    std::uint64_t word = 0;
    std::memcpy(&word, src, layout.bits);
    for (std::size_t j = 0; j < 8; ++j) {
      const std::uint64_t code = word >> (layout.bits * j) & mask;
      codes[i + j] = static_cast<std::uint8_t>(std::min<std::uint64_t>(code, layout.n_levels - 1U));
    }
  }
}

const char* packed_defect(const PackedLayout& layout, const std::uint8_t* block) noexcept {
  const auto [scale, offset] = load_parameters(layout, block);
  const float margin = layout.offset == OffsetType::zero ? 384.0F : layout.reach();
  if (!std::isfinite(scale * margin)) return kBadScale;
  if (!std::isfinite(offset)) return kBadOffset;
  if (scale < 0 && (!layout.scale_may_be_negative || layout.offset == OffsetType::zero))
    return "scale is negative";
  if (layout.n_levels == 1U << layout.bits) return nullptr;
  const std::uint64_t mask = (1U << layout.bits) - 1U;
  const std::uint8_t* src = block + layout.codes_at();
  for (std::size_t i = 0; i < layout.group; i += 8, src += layout.bits) {
    std::uint64_t word = 0;
    std::memcpy(&word, src, layout.bits);
    for (std::size_t j = 0; j < 8; ++j)
      if ((word >> (layout.bits * j) & mask) >= layout.n_levels) return "code that no number has";
  }
  return nullptr;
}

}  // namespace kerf::formats

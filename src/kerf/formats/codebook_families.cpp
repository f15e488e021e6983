// 16, 8 or 4 free levels, fitted to the numbers themselves: per row, or per group of 256.
//
//   CBn_ROW[_BF16]   row header: n levels in binary16 or bfloat16, ascending; blocks of 32 codes
//   CBn_G256[_BF16]  blocks: n levels, then 256 codes
//
// Codes have log2 n bits, in the order of packed.h: number i in bits i·b … i·b + b − 1 of a little-endian bit
// string. x = level[code].
#include <algorithm>
#include <cmath>
#include <utility>

#include "kerf/formats/block32.h"
#include "kerf/formats/codebook.h"
#include "kerf/formats/packed.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kRowBlock = 32;

struct CodebookLayout {
  std::uint8_t bits;
  bool per_row;
  ScaleType type;  ///< of a level: f16 or bf16

  [[nodiscard]] constexpr std::size_t n_levels() const noexcept { return std::size_t{1} << bits; }
  [[nodiscard]] constexpr std::size_t levels_bytes() const noexcept { return 2 * n_levels(); }
  [[nodiscard]] constexpr std::size_t group() const noexcept { return per_row ? kRowBlock : 256; }
  /// Where the codes of a block begin.
  [[nodiscard]] constexpr std::size_t codes_at() const noexcept { return per_row ? 0 : levels_bytes(); }
  [[nodiscard]] constexpr std::size_t block_bytes() const noexcept { return codes_at() + group() * bits / 8; }
  /// The codes of a block on their own.
  [[nodiscard]] constexpr PackedLayout codes(const float* levels) const noexcept {
    return {.levels = levels,
            .n_levels = static_cast<std::uint16_t>(n_levels()),
            .uniform = false,
            .bits = bits,
            .group = static_cast<std::uint16_t>(group()),
            .scale = ScaleType::none};
  }
};

float load_level(ScaleType type, const std::uint8_t* source) noexcept {
  return type == ScaleType::f16 ? load_f16(source) : bf16_to_f32(load_le<std::uint16_t>(source));
}

float store_level(ScaleType type, float level, std::uint8_t* target) noexcept {
  if (type == ScaleType::f16) return store_f16(level, target);
  std::uint16_t bits = f32_to_bf16(level);
  if ((bits & 0x7F80U) == 0x7F80U) --bits;  // the largest instead of infinity
  store_le(target, bits);
  return bf16_to_f32(bits);
}

void load_all(const CodebookLayout& layout, const std::uint8_t* place, float* levels) noexcept {
  for (std::size_t i = 0; i < layout.n_levels(); ++i) levels[i] = load_level(layout.type, place + 2 * i);
}

void decode_codebook(const CodebookLayout& layout, const std::uint8_t* src, float* dst,
                     std::size_t n) noexcept {
  float levels[Codebook::kMaxLevels];
  if (layout.per_row) {
    load_all(layout, src, levels);
    decode_packed(layout.codes(levels), src + layout.levels_bytes(), dst, n);
    return;
  }
  for (std::size_t i = 0; i < n; i += layout.group(), src += layout.block_bytes()) {
    load_all(layout, src, levels);
    decode_packed(layout.codes(levels), src + layout.codes_at(), dst + i, std::min(layout.group(), n - i));
  }
}

const char* levels_defect(const CodebookLayout& layout, const std::uint8_t* place) noexcept {
  for (std::size_t i = 0; i < layout.n_levels(); ++i)
    if (!std::isfinite(load_level(layout.type, place + 2 * i))) return "level is NaN or infinite";
  return nullptr;
}

template <std::size_t kIndex>
struct Made {
  static constexpr CodebookLayout kLayout{.bits = static_cast<std::uint8_t>(4 - kIndex / 4),
                                          .per_row = kIndex % 4 < 2,
                                          .type = kIndex % 2 == 0 ? ScaleType::f16 : ScaleType::bf16};
  static constexpr std::string_view kType = kIndex % 2 == 0 ? "f16" : "bf16";
  static constexpr FixedText kName = FixedText{} << "CB" << unsigned{1U << kLayout.bits}
                                                 << (kLayout.per_row ? "_ROW" : "_G256")
                                                 << (kIndex % 2 == 0 ? "" : "_BF16");
  static constexpr FixedText kSummary = FixedText{} << unsigned{1U << kLayout.bits} << " free " << kType
                                                    << " levels per " << (kLayout.per_row ? "row" : "256");

  static void decode(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    decode_codebook(kLayout, src, dst, n);
  }
  static const char* defect(const std::uint8_t* place) noexcept { return levels_defect(kLayout, place); }
  static void store_levels(float* levels, std::uint8_t* place) noexcept {
    for (std::size_t i = 0; i < kLayout.n_levels(); ++i)
      levels[i] = store_level(kLayout.type, levels[i], place + 2 * i);
  }
  static void load_levels(const std::uint8_t* place, float* levels) noexcept {
    load_all(kLayout, place, levels);
  }
  static void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
    store_packed_codes(kLayout.codes(nullptr), codes, block + kLayout.codes_at());
  }
  static void load_codes(const std::uint8_t* block, std::uint8_t* codes) noexcept {
    float scale;
    float offset;
    load_packed(kLayout.codes(nullptr), block + kLayout.codes_at(), &scale, &offset, codes);
  }

  static constexpr Codebook kCodebook{.n_levels = kLayout.n_levels(),
                                      .per_row = kLayout.per_row,
                                      .store_levels = store_levels,
                                      .load_levels = load_levels,
                                      .store_codes = store_codes,
                                      .load_codes = load_codes};

  static constexpr Format kFormat{.name = kName.view(),
                                  .gguf_type = kNoGgufType,
                                  .block_size = kLayout.group(),
                                  .block_bytes = kLayout.block_bytes(),
                                  .summary = kSummary.view(),
                                  .decode = decode,
                                  .encode_plain = nullptr,
                                  .grid = nullptr,
                                  .defect = kLayout.per_row ? nullptr : defect,
                                  .header_bytes = kLayout.per_row ? 2U << kLayout.bits : 0U,
                                  .any_length = true,
                                  .codebook = &kCodebook,
                                  .header_defect = kLayout.per_row ? defect : nullptr,
                                  .family = kLayout.per_row ? "CBn_ROW" : "CBn_G256"};
};

template <std::size_t... kIndices>
constexpr auto all(std::index_sequence<kIndices...>) {
  return std::array{Made<kIndices>::kFormat...};
}
constexpr auto kFormats = all(std::make_index_sequence<12>());

}  // namespace

constexpr std::span<const Format> codebook_formats = kFormats;

}  // namespace kerf::formats

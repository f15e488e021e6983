// S3.5, K4, K4.5: blocks of 16 numbers in 7, 8, 9 bytes, a bfloat16 scale in front of each row.
//
// An odd number of levels has a zero and wastes none on a sign, and four digits of base 9, 13 or 19 just fit
// into 13, 15 or 17 bits: a fraction of a bit saved per number pays for a scale per 16 numbers.
//
//   format   levels  word                 block, as one little-endian bit string
//   S3.5        9    13 bits (9⁴ = 6561)     bits 0-3            c: scale = (c + 2)/8
//   K4         13    15 bits (13⁴ = 28561)   bits 4 + w·k …      word k = 0 … 3 of w bits: Σ q_d · L^d,
//   K4.5       19    17 bits (19⁴ = 130321)                      where q_d is the code of number 4·d + k
//
//   x = row scale · ((c + 2)/8 · level[q])
//
// Levels minimise the squared error of groups of 16 with their best scale (Lloyd 1957) over the weights of a
// small language model; those of normal numbers differ in the second digit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kerf/formats/packed.h"
#include "kerf/formats/row_scaled.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kAtOnce = 4;  // blocks, for vectors of 16 words
constexpr std::size_t kWords = 4;   // of four digits

template <std::size_t n>
constexpr auto mirrored(const float (&magnitudes)[n]) {
  std::array<float, 2 * n + 1> levels{};
  for (std::size_t i = 0; i < n; ++i) {
    levels[n + 1 + i] = magnitudes[i];
    levels[n - 1 - i] = -magnitudes[i];
  }
  return levels;
}

constexpr auto kLevels9 = mirrored({0.1875F, 0.3952F, 0.6437F, 1.0F});
constexpr auto kLevels13 = mirrored({0.1333F, 0.2739F, 0.4241F, 0.5819F, 0.7592F, 1.0F});
constexpr auto kLevels19 =
    mirrored({0.0957F, 0.1945F, 0.2973F, 0.4009F, 0.5043F, 0.6116F, 0.7228F, 0.8443F, 1.0F});

struct DigitLayout {
  const float* levels;
  std::uint32_t n_levels;
  std::uint32_t word_bits;

  [[nodiscard]] constexpr std::size_t block_bytes() const noexcept { return (4 + kWords * word_bits) / 8; }
  [[nodiscard]] constexpr std::uint32_t n_words() const noexcept {
    return n_levels * n_levels * n_levels * n_levels;
  }
};

inline float load_scale(const std::uint8_t* block) noexcept {
  return static_cast<float>((block[0] & 15) + 2) * 0.125F;
}

/// The bits of a block from 8 bytes and, if there is one, a ninth.
inline void load_words(const DigitLayout& layout, const std::uint8_t* block, std::uint32_t* words) noexcept {
  std::uint64_t low = 0;
  std::memcpy(&low, block, std::min<std::size_t>(8, layout.block_bytes()));
  const std::uint32_t mask = (1U << layout.word_bits) - 1U;
  for (std::size_t k = 0; k < kWords; ++k)
    words[k] = static_cast<std::uint32_t>(low >> (4 + layout.word_bits * k)) & mask;
  if (layout.block_bytes() == 9) words[3] |= static_cast<std::uint32_t>(block[8]) << (60 - 3 * 17);
}

/// Four blocks, or fewer: codes[i] of their numbers, as integers of any range if the words are.
[[gnu::always_inline]] inline void split_digits(const DigitLayout& layout, const std::uint32_t* words,
                                                std::int32_t* codes) noexcept {
  constexpr std::size_t kLanes = kAtOnce * kWords;
  const auto base = static_cast<float>(layout.n_levels);
  const float inverse = 1.0F / base;
  float rest[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) rest[i] = static_cast<float>(static_cast<std::int32_t>(words[i]));
  for (std::size_t d = 0; d < 4; ++d) {
    std::int32_t digit[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
      // Words are far below 2^24: half of one more than covers the rounding of the inverse.
      const auto quotient = static_cast<float>(static_cast<std::int32_t>((rest[i] + 0.5F) * inverse));
      digit[i] = static_cast<std::int32_t>(rest[i] - quotient * base);
      if (d == 3) digit[i] = static_cast<std::int32_t>(rest[i]);
      rest[i] = quotient;
    }
    for (std::size_t b = 0; b < kAtOnce; ++b)
      for (std::size_t k = 0; k < kWords; ++k) codes[kBlock * b + 4 * d + k] = digit[kWords * b + k];
  }
}

KERF_CLONES void decode_digits(const DigitLayout& layout, const std::uint8_t* __restrict src,
                               float* __restrict dst, std::size_t n) noexcept {
  const auto last = static_cast<std::int32_t>(layout.n_levels - 1);
  while (n > 0) {
    const std::size_t n_blocks = std::min(kAtOnce, (n + kBlock - 1) / kBlock);
    std::uint32_t words[kAtOnce * kWords] = {};
    float scale[kAtOnce] = {};
    for (std::size_t b = 0; b < n_blocks; ++b, src += layout.block_bytes()) {
      load_words(layout, src, words + kWords * b);
      scale[b] = load_scale(src);
    }
    std::int32_t codes[kAtOnce * kBlock];
    split_digits(layout, words, codes);
    float values[kAtOnce * kBlock];
    for (std::size_t b = 0; b < kAtOnce; ++b)
      for (std::size_t i = kBlock * b; i < kBlock * (b + 1); ++i)
        values[i] = scale[b] * layout.levels[codes[i] < last ? codes[i] : last];
    const std::size_t n_here = std::min(n, kAtOnce * kBlock);
    std::memcpy(dst, values, n_here * sizeof *dst);
    dst += n_here;
    n -= n_here;
  }
}

template <const DigitLayout& kLayout, FixedText kName>
struct Digits {
  static void decode(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    decode_digits(kLayout, src, dst, n);
  }

  /// The low half of byte 0; words share its high half.
  static void store_parameters(float* scale, float* offset, std::uint8_t* block) noexcept {
    const auto code = static_cast<int>(std::rint(std::clamp(scale[0], 0.25F, 2.125F) * 8.0F)) - 2;
    block[0] = static_cast<std::uint8_t>((block[0] & 0xF0) | code);
    scale[0] = load_scale(block);
    offset[0] = 0.0F;
  }

  static void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
    std::uint32_t words[kWords] = {};
    for (std::size_t k = 0; k < kWords; ++k)
      for (std::size_t d = 4; d-- > 0;) words[k] = words[k] * kLayout.n_levels + codes[4 * d + k];
    std::uint64_t low = block[0] & 15U;
    for (std::size_t k = 0; k < kWords; ++k) low |= std::uint64_t{words[k]} << (4 + kLayout.word_bits * k);
    std::memcpy(block, &low, std::min<std::size_t>(8, kLayout.block_bytes()));
    if (kLayout.block_bytes() == 9) block[8] = static_cast<std::uint8_t>(words[3] >> (60 - 3 * 17));
  }

  static void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
    scale[0] = load_scale(block);
    offset[0] = 0.0F;
    std::uint32_t words[kAtOnce * kWords] = {};
    load_words(kLayout, block, words);
    std::int32_t wide[kAtOnce * kBlock];
    split_digits(kLayout, words, wide);
    const auto last = static_cast<std::int32_t>(kLayout.n_levels - 1);
    for (std::size_t i = 0; i < kBlock; ++i) codes[i] = static_cast<std::uint8_t>(std::min(wide[i], last));
  }

  static const char* defect(const std::uint8_t* block) noexcept {
    std::uint32_t words[kWords];
    load_words(kLayout, block, words);
    for (const std::uint32_t word : words)
      if (word >= kLayout.n_words()) return "word that no four digits give";
    return nullptr;
  }

  static constexpr Grid kGrid{.n_groups = 1,
                              .levels = {kLayout.levels, kLayout.n_levels},
                              .uniform = false,
                              .scale_sign = Grid::Sign::non_negative,
                              .has_offset = false,
                              .offset_sign = Grid::Sign::any,
                              .store_parameters = store_parameters,
                              .store_codes = store_codes,
                              .load = load};

  static constexpr FixedText kText = kName;
  static constexpr Format kBlocks{.name = kText.view(),
                                  .gguf_type = kNoGgufType,
                                  .block_size = kBlock,
                                  .block_bytes = kLayout.block_bytes(),
                                  .summary = "blocks without their row scale",
                                  .decode = decode,
                                  .encode_plain = nullptr,
                                  .grid = &kGrid,
                                  .defect = defect,
                                  .any_length = true};
  static constexpr RowScale kRowScale{
      .inner = &kBlocks, .type = RowScale::Type::bf16, .reach = 17.0F / 8, .least_range = 0.6F};
};

constexpr DigitLayout kDigits9{kLevels9.data(), 9, 13};
constexpr DigitLayout kDigits13{kLevels13.data(), 13, 15};
constexpr DigitLayout kDigits19{kLevels19.data(), 19, 17};

template <const DigitLayout& kLayout, FixedText kName>
constexpr Format half_bit(std::string_view summary) {
  using Made = Digits<kLayout, kName>;
  return row_scaled<Made::kBlocks, Made::kRowScale>(Made::kText.view(), summary);
}

constexpr FixedText text(std::string_view name) {
  return FixedText{} << name;
}

}  // namespace

constexpr Format k4_5 =
    half_bit<kDigits19, text("K4.5")>("19 levels, 4-bit scale per 16, bf16 scale per row");
constexpr Format k4 = half_bit<kDigits13, text("K4")>("13 levels, 4-bit scale per 16, bf16 scale per row");
constexpr Format s3_5 = half_bit<kDigits9, text("S3.5")>("9 levels, 4-bit scale per 16, bf16 scale per row");

}  // namespace kerf::formats

// Levels that are not the integers, with a scale per group of 32, 64, 128 (byte map: packed.h); a code is the
// index of its level in ascending order.
//
//   NF4_Gg NF3_Gg     quantiles of the normal distribution. Source: Dettmers et al., «QLoRA» (2023), §3;
//                     NF3 by the same construction with 2³ levels
//   NF4_DQ NF3_DQ     groups of 64 whose scales are bytes c, scale = row scale · c/64, a binary32 per row
//   LOG3_Gg LOG4_Gg   0 and ±2^−k; code 2^b − 1 is not used
//   APOT4_Gg APOT5_Gg sums of two powers of two. Source: Li, Dong, Wang, «Additive Powers-of-Two
//   Quantization»
//                     (2020), §2.2; the last code is not used
//   TERNARY2_Gg       −1 0 1, two bits each; code 3 is not used
//   TERNARY2_ROW      the same with one f32 scale per row, as in BitNet b1.58
#include <utility>

#include "kerf/formats/packed.h"
#include "kerf/formats/row_scaled.h"

namespace kerf::formats {
namespace {

/// Φ⁻¹ of evenly spaced probabilities, from 1 − (1/30 + 1/32)/2 to ½ above zero in 8 steps and below it in 7,
/// over the largest.
constexpr float kNf4[] = {-1.0F,         -0.6961928F, -0.52507293F, -0.39491743F, -0.28444132F, -0.1847734F,
                          -0.091049977F, 0.0F,        0.079580314F, 0.16093014F,  0.24611226F,  0.33791512F,
                          0.44070974F,   0.5626169F,  0.72295666F,  1.0F};
/// From 1 − (1/14 + 1/16)/2 in 4 and 3 steps.
constexpr float kNf3[] = {-1.0F,       -0.53502274F, -0.24693143F, 0.0F,
                          0.18333748F, 0.38199395F,  0.62298572F,  1.0F};

/// A zero between the magnitudes and their negatives.
template <std::size_t n>
constexpr auto mirrored(const float (&magnitudes)[n]) {
  std::array<float, 2 * n + 1> levels{};
  for (std::size_t i = 0; i < n; ++i) {
    levels[n + 1 + i] = magnitudes[i];
    levels[n - 1 - i] = -magnitudes[i];
  }
  return levels;
}

constexpr auto kLog3 = mirrored({0.25F, 0.5F, 1.0F});
constexpr auto kLog4 = mirrored({1.0F / 64, 1.0F / 32, 1.0F / 16, 0.125F, 0.25F, 0.5F, 1.0F});
constexpr auto kApot4 = mirrored({0.1F, 0.2F, 0.3F, 0.4F, 0.6F, 0.8F, 1.0F});
constexpr auto kApot5 = mirrored({1.0F / 48, 1.0F / 24, 1.0F / 16, 1.0F / 12, 0.125F, 1.0F / 6, 3.0F / 16,
                                  0.25F, 1.0F / 3, 0.375F, 0.5F, 2.0F / 3, 11.0F / 16, 0.75F, 1.0F});
constexpr auto kTernary = mirrored({1.0F});

struct Kind {
  std::string_view name, family, summary;
  std::span<const float> levels;
  std::uint8_t bits;
};
constexpr Kind kKinds[] = {
    {"NF4", "NF4_Gg", "4-bit normal float", kNf4, 4},
    {"NF3", "NF3_Gg", "3-bit normal float", kNf3, 3},
    {"APOT5", "APOTb_Gg", "5-bit sums of two powers of two", kApot5, 5},
    {"APOT4", "APOTb_Gg", "4-bit sums of two powers of two", kApot4, 4},
    {"LOG4", "LOGb_Gg", "4-bit signed powers of two", kLog4, 4},
    {"LOG3", "LOGb_Gg", "3-bit signed powers of two", kLog3, 3},
    {"TERNARY2", "TERNARY2_Gg", "−1 0 1 in two bits", kTernary, 2},
};
constexpr unsigned kGroups[] = {32, 64, 128, 256};
constexpr std::size_t kMost = std::size(kKinds) * std::size(kGroups);

constexpr PackedLayout layout_of(const Kind& kind, unsigned group, ScaleType scale) {
  return {.levels = kind.levels.data(),
          .n_levels = static_cast<std::uint16_t>(kind.levels.size()),
          .uniform = kind.name == "TERNARY2",
          .bits = kind.bits,
          .group = static_cast<std::uint16_t>(group),
          .scale = scale,
          .scale_may_be_negative = scale != ScaleType::u8};
}

template <std::size_t kIndex>
struct Group {
  static constexpr const Kind& kKind = kKinds[kIndex / std::size(kGroups)];
  static constexpr unsigned kSize = kGroups[kIndex % std::size(kGroups)];
  static constexpr PackedLayout kLayout = layout_of(kKind, kSize, ScaleType::f16);
  static constexpr FixedText kName = FixedText{} << kKind.name << "_G" << kSize;
  static constexpr FixedText kSummary = FixedText{} << kKind.summary << ", f16 scale per " << kSize;
  static constexpr Format kFormat = Packed<kLayout>::format(kName.view(), kKind.family, kSummary.view());
};

/// Double quantization within a row.
template <std::size_t kIndex>
struct DoubleQuantized {
  static constexpr const Kind& kKind = kKinds[kIndex];
  static constexpr PackedLayout kLayout = layout_of(kKind, 64, ScaleType::u8);
  static constexpr FixedText kName = FixedText{} << kKind.name << "_DQ";
  static constexpr FixedText kSummary = FixedText{} << kKind.summary
                                                    << ", 8-bit scale per 64, f32 scale per row";
  static constexpr Format kBlocks = Packed<kLayout>::format(kName.view(), {}, kSummary.view());
  static constexpr RowScale kRowScale{
      .inner = &kBlocks, .type = RowScale::Type::f32, .reach = 255.0F / 64, .least_range = 1.0F};
  static constexpr Format kFormat = row_scaled<kBlocks, kRowScale>(kName.view(), kSummary.view(), "NFb_DQ");
};

struct TernaryRow {
  static constexpr PackedLayout kLayout = layout_of(kKinds[6], 8, ScaleType::none);
  static constexpr Format kCodes = Packed<kLayout>::format("ternary", {}, "ternary");
  static constexpr RowScale kRowScale{
      .inner = &kCodes, .type = RowScale::Type::f32, .reach = 1.0F, .least_range = 0.1F};
  static constexpr Format kFormat =
      row_scaled<kCodes, kRowScale>("TERNARY2_ROW", "−1 0 1 in two bits, f32 scale per row");
};

template <std::size_t... kIndices>
constexpr auto all(std::index_sequence<kIndices...>) {
  return std::array{Group<kIndices>::kFormat..., DoubleQuantized<0>::kFormat, DoubleQuantized<1>::kFormat,
                    TernaryRow::kFormat};
}
constexpr auto kFormats = all(std::make_index_sequence<kMost>());

}  // namespace

constexpr std::span<const Format> level_formats = kFormats;

}  // namespace kerf::formats

// Integers of 1 … 8 bits in groups of 16, 32, 64, 128 or a whole row (byte map: packed.h):
//
//   INTb_Gg[_BF16|_F8]         x = scale · q, q in −2^(b−1) … 2^(b−1) − 1; INT1: −1 and 1
//   INTb_ROW                   the same with one f32 scale per row
//   UINTb_Gg[_BF16|_F8]        x = scale · (q − z), q in 0 … 2^b − 1, with an integer zero point z
//   UINTb_Gg[_BF16]_F16Z       x = scale · q + offset, a binary16 offset
//
// Scales are binary16, bfloat16, or E4M3 under an f32 scale per row. A signed scale lets the number of
// largest magnitude land on −2^(b−1), whatever its sign, so that no code is wasted.
#include <utility>

#include "kerf/formats/packed.h"
#include "kerf/formats/row_scaled.h"

namespace kerf::formats {
namespace {

constexpr std::size_t kBits = 8;
constexpr unsigned kGroups[] = {16, 32, 64, 128};
constexpr ScaleType kScales[] = {ScaleType::f16, ScaleType::bf16, ScaleType::e4m3};
constexpr std::size_t kPerBits = std::size(kGroups) * std::size(kScales);
constexpr std::string_view kScaleSuffix[] = {"", "_BF16", "_F8"};
constexpr std::string_view kScaleText[] = {"f16", "bf16", "8-bit float"};

/// One member of the cross product: bits from 8 down, then groups, then scales.
struct Member {
  unsigned bits, group;
  std::size_t scale;  ///< index of the tables above

  constexpr explicit Member(std::size_t index)
      : bits(static_cast<unsigned>(kBits - index / kPerBits)),
        group(kGroups[index / std::size(kScales) % std::size(kGroups)]),
        scale(index % std::size(kScales)) {}
};

constexpr FixedText name_of(std::string_view prefix, Member member, std::string_view suffix) {
  FixedText text;
  text << prefix << member.bits << "_G" << member.group << kScaleSuffix[member.scale] << suffix;
  return text;
}

constexpr FixedText summary_of(std::string_view what, Member member, std::string_view and_what) {
  FixedText text;
  text << member.bits << what << kScaleText[member.scale] << " scale" << and_what << " per " << member.group;
  if (kScales[member.scale] == ScaleType::e4m3) text << ", f32 scale per row";
  return text;
}

/// Functions of a member that brings its kLayout, kName and kSummary. Where scales are E4M3 there is a row
/// scale in front.
template <class Of>
struct Made {
  static constexpr Format kBlocks = Packed<Of::kLayout>::format(Of::kName.view(), {}, Of::kSummary.view());
  static constexpr bool kZero = Of::kLayout.offset == OffsetType::zero;
  /// With a zero point scales reach half the range of the codes to either side, at least.
  static constexpr RowScale kRowScale{
      .inner = &kBlocks,
      .type = RowScale::Type::f32,
      .reach = 448.0F * (kZero ? 0.5F * Of::kLayout.reach() : Of::kLayout.reach()),
      .least_range = 1.0F};
  /// And at most as far as the zero points go.
  static constexpr RowScale kWidest{.inner = &kBlocks,
                                    .type = RowScale::Type::f32,
                                    .reach = 448.0F * (kZero ? 384.0F : Of::kLayout.reach()),
                                    .least_range = 1.0F};

  static constexpr Format format() noexcept {
    constexpr std::string_view kFamily = Of::kFamilies[Of::kMember.scale];
    if constexpr (Of::kLayout.scale == ScaleType::e4m3)
      return row_scaled<kBlocks, kRowScale, kWidest>(Of::kName.view(), Of::kSummary.view(), kFamily);
    else
      return Packed<Of::kLayout>::format(Of::kName.view(), kFamily, Of::kSummary.view());
  }
};

template <std::size_t kIndex>
struct Int {
  static constexpr Member kMember{kIndex};
  static constexpr std::array<std::string_view, 3> kFamilies{"INTb_Gg", "INTb_Gg_BF16", "INTb_Gg_F8"};
  static constexpr auto kLayout = signed_layout(kMember.bits, kMember.group, kScales[kMember.scale]);
  static constexpr FixedText kName = name_of("INT", kMember, "");
  static constexpr FixedText kSummary = summary_of("-bit integers, ", kMember, "");
};

template <std::size_t kIndex>
struct WithZero {
  static constexpr Member kMember{kIndex};
  static constexpr std::array<std::string_view, 3> kFamilies{"UINTb_Gg", "UINTb_Gg_BF16", "UINTb_Gg_F8"};
  static constexpr auto kLayout =
      unsigned_layout(kMember.bits, kMember.group, kScales[kMember.scale], OffsetType::zero);
  static constexpr FixedText kName = name_of("UINT", kMember, "");
  static constexpr FixedText kSummary = summary_of(" bits, ", kMember, " and integer zero");
};

/// Without the E4M3 scales: an offset of 16 bits beside a scale of 8 would be a poor bargain.
template <std::size_t kIndex>
struct WithOffset {
  static constexpr Member kMember{kIndex / 2 * 3 + kIndex % 2};
  static constexpr std::array<std::string_view, 2> kFamilies{"UINTb_Gg_F16Z", "UINTb_Gg_BF16_F16Z"};
  static constexpr auto kLayout =
      unsigned_layout(kMember.bits, kMember.group, kScales[kMember.scale], OffsetType::f16);
  static constexpr FixedText kName = name_of("UINT", kMember, "_F16Z");
  static constexpr FixedText kSummary = summary_of(" bits, ", kMember, " and f16 offset");
};

/// One scale for a whole row. Clipping its extremes pays the more, the fewer codes there are.
template <unsigned kRowBits>
struct IntRow {
  static constexpr auto kLayout = signed_layout(kRowBits, 8, ScaleType::none);
  static constexpr Format kCodes = Packed<kLayout>::format("integers", {}, "integers");
  static constexpr RowScale kRowScale{.inner = &kCodes,
                                      .type = RowScale::Type::f32,
                                      .reach = kLayout.levels[kLayout.n_levels - 1],
                                      .least_range = kRowBits <= 2   ? 0.1F
                                                     : kRowBits <= 4 ? 0.2F
                                                                     : 0.5F};
  static constexpr RowScale kWidest{
      .inner = &kCodes, .type = RowScale::Type::f32, .reach = kLayout.reach(), .least_range = 1.0F};
  static constexpr FixedText kName = FixedText{} << "INT" << kRowBits << "_ROW";
  static constexpr FixedText kSummary = FixedText{} << kRowBits << "-bit integers, f32 scale per row";
  static constexpr Format kFormat =
      row_scaled<kCodes, kRowScale, kWidest>(kName.view(), kSummary.view(), "INTb_ROW");
};

/// One scale and one offset for a whole row.
template <unsigned kRowBits>
struct UintRow {
  static constexpr auto kLayout = unsigned_layout(kRowBits, 8, ScaleType::none, OffsetType::none);
  static constexpr Format kCodes = Packed<kLayout>::format("integers", {}, "integers");
  static constexpr RowScale kRowScale{.inner = &kCodes,
                                      .type = RowScale::Type::f32,
                                      .reach = kLayout.levels[kLayout.n_levels - 1],
                                      .least_range = IntRow<kRowBits>::kRowScale.least_range,
                                      .has_offset = true};
  static constexpr FixedText kName = FixedText{} << "UINT" << kRowBits << "_ROW";
  static constexpr FixedText kSummary = FixedText{} << kRowBits << " bits, f32 scale and offset per row";
  static constexpr Format kFormat = row_scaled<kCodes, kRowScale>(kName.view(), kSummary.view(), "UINTb_ROW");
};

template <std::size_t... kIndices>
constexpr auto all_ints(std::index_sequence<kIndices...>) {
  return std::array{Made<Int<kIndices>>::format()...,
                    IntRow<8>::kFormat,
                    IntRow<7>::kFormat,
                    IntRow<6>::kFormat,
                    IntRow<5>::kFormat,
                    IntRow<4>::kFormat,
                    IntRow<3>::kFormat,
                    IntRow<2>::kFormat,
                    IntRow<1>::kFormat};
}

template <std::size_t... kZeros, std::size_t... kOffsets>
constexpr auto all_uints(std::index_sequence<kZeros...>, std::index_sequence<kOffsets...>) {
  return std::array{Made<WithZero<kZeros>>::format()...,
                    Made<WithOffset<kOffsets>>::format()...,
                    UintRow<8>::kFormat,
                    UintRow<7>::kFormat,
                    UintRow<6>::kFormat,
                    UintRow<5>::kFormat,
                    UintRow<4>::kFormat,
                    UintRow<3>::kFormat,
                    UintRow<2>::kFormat,
                    UintRow<1>::kFormat};
}

constexpr auto kInts = all_ints(std::make_index_sequence<kBits * kPerBits>());
constexpr auto kUints = all_uints(std::make_index_sequence<kBits * kPerBits>(),
                                  std::make_index_sequence<kBits * kPerBits / 3 * 2>());

}  // namespace

constexpr std::span<const Format> int_formats = kInts;
constexpr std::span<const Format> uint_formats = kUints;

}  // namespace kerf::formats

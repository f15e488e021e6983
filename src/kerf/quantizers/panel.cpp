#include "kerf/quantizers/panel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/quantizers/score.h"

namespace kerf {

namespace {

bool has_mirrored_levels(std::span<const float> levels) noexcept {
  const std::size_t n = levels.size();
  for (std::size_t c = 0; c < n; ++c)
    if (levels[c] != -levels[n - 1 - c]) return false;
  return n % 2 == 1;
}

TableLevels table_of(std::span<const float> levels) noexcept {
  KERF_CHECK(levels.size() <= TableLevels::kMax);
  TableLevels table{};
  table.n_midpoints = levels.size() - 1;
  table.lowest = levels.front();
  for (std::size_t c = 0; c < table.n_midpoints; ++c) {
    table.midpoint[c] = 0.5F * (levels[c] + levels[c + 1]);
    table.rise[c] = levels[c + 1] - levels[c];
  }
  return table;
}

/// Whether the levels from zero upwards are all numbers of a minifloat with this mantissa.
bool are_minifloats(std::span<const float> levels, const MinifloatLevels& type) noexcept {
  float expected = 0.0F;
  for (const float level : levels) {
    if (level != expected) return false;
    const float binade =
        std::max(std::exp2(std::floor(std::log2(std::max(level, type.smallest_normal)))), 0.0F);
    expected += std::ldexp(binade, -type.mantissa_bits);
  }
  return true;
}

}  // namespace

Levels::Levels(const Grid& grid) noexcept
    : kind(grid.uniform ? Kind::uniform : Kind::table),
      uniform{.lo = grid.levels.front(), .hi = grid.levels.back()} {
  if (grid.uniform) return;
  if (!has_mirrored_levels(grid.levels)) {
    table = table_of(grid.levels);
    return;
  }
  const auto positive = grid.levels.subspan(grid.levels.size() / 2);
  for (int bits = 0; bits <= 3; ++bits) {
    minifloat = {.hi = positive.back(),
                 .smallest_normal = std::ldexp(positive[1], bits),
                 .mantissa_bits = bits,
                 .magic = std::ldexp(0x1.8p23F, -bits),
                 .n_positive = static_cast<int>(positive.size()) - 1};
    kind = Kind::minifloat;
    if (are_minifloats(positive, minifloat)) return;
  }
  kind = Kind::mirrored;
  mirrored.positive = table_of(positive);
}

namespace {

template <bool kWeighted, class L>
KERF_INLINE void grid_errors_of(const Panel& panel, const L& levels, const Lanes& scales,
                                const Lanes& offsets, Lanes& error, LevelSums& sums) noexcept {
  Lanes inverses;
  for (std::size_t k = 0; k < kLanes; ++k) inverses[k] = safe_inverse(scales[k]);
  const Eight inverse = Eight::load(inverses);
  const Eight scale = Eight::load(scales);
  const Eight offset = Eight::load(offsets);
  Eight sum_e = Eight::zero();
  Eight sum_l = Eight::zero();
  Eight sum_ll = Eight::zero();
  Eight sum_xl = Eight::zero();
  for (std::size_t i = 0; i < panel.n; ++i) {
    const Eight x = Eight::load(panel.x[i]);
    const Eight t = (x - offset) * inverse;
    Eight l;
    nearest(levels, &t, &l, 1);
    const Eight e = x - (scale * l + offset);
    const Eight wl = kWeighted ? Eight::load(panel.w[i]) * l : l;
    sum_e += (kWeighted ? Eight::load(panel.w[i]) * e : e) * e;
    sum_l += wl;
    sum_ll += wl * l;
    sum_xl += wl * x;
  }
  sum_e.store(error);
  sum_l.store(sums.l);
  sum_ll.store(sums.ll);
  sum_xl.store(sums.xl);
}

/// How many midpoints lie below each number.
template <std::size_t kN>
KERF_INLINE void count_midpoints(const TableLevels& levels, const float* t, std::int32_t* count) noexcept {
  for (std::size_t i = 0; i < kN; ++i) count[i] = 0;
  for (std::size_t c = 0; c < levels.n_midpoints; ++c)
    for (std::size_t i = 0; i < kN; ++i) count[i] += t[i] > levels.midpoint[c] ? 1 : 0;
}

template <std::size_t kN>
KERF_INLINE void codes_of(const TableLevels& levels, const float* t, std::uint8_t* codes) noexcept {
  std::int32_t count[kN];
  count_midpoints<kN>(levels, t, count);
  for (std::size_t i = 0; i < kN; ++i) codes[i] = static_cast<std::uint8_t>(count[i]);
}

template <std::size_t kN>
KERF_INLINE void codes_of(const MirroredLevels& levels, const float* t, std::uint8_t* codes) noexcept {
  float magnitude[kN];
  std::int32_t count[kN];
  for (std::size_t i = 0; i < kN; ++i) magnitude[i] = std::fabs(t[i]);
  count_midpoints<kN>(levels.positive, magnitude, count);
  const auto zero = static_cast<std::int32_t>(levels.positive.n_midpoints);
  for (std::size_t i = 0; i < kN; ++i)
    codes[i] = static_cast<std::uint8_t>(t[i] < 0.0F ? zero - count[i] : zero + count[i]);
}

template <std::size_t kN>
KERF_INLINE void codes_of(const MinifloatLevels& levels, const float* t, std::uint8_t* codes) noexcept {
  float level[kN];
  for (std::size_t i = 0; i < kN; i += kLanes) {
    const Eight wanted = Eight::load(t + i);
    Eight found;
    nearest(levels, &wanted, &found, 1);
    found.store(level + i);
  }
  std::int32_t bits[kN];
  std::memcpy(bits, level, sizeof bits);
  std::int32_t smallest_normal;
  std::memcpy(&smallest_normal, &levels.smallest_normal, sizeof smallest_normal);
  const std::int32_t n_subnormal = 1 << levels.mantissa_bits;
  const float steps = static_cast<float>(n_subnormal) / levels.smallest_normal;
  const int shift = 23 - levels.mantissa_bits;
  for (std::size_t i = 0; i < kN; ++i) {
    const std::int32_t magnitude = bits[i] & 0x7FFFFFFF;
    const std::int32_t normal = ((magnitude - smallest_normal) >> shift) + n_subnormal;
    const auto subnormal = static_cast<std::int32_t>(std::fabs(level[i]) * steps);
    const std::int32_t count = magnitude < smallest_normal ? subnormal : normal;
    const std::int32_t sign = bits[i] >> 31;  // 0 or −1
    codes[i] = static_cast<std::uint8_t>(levels.n_positive + ((count ^ sign) - sign));
  }
}

template <std::size_t kN>
KERF_INLINE void codes_of(const UniformLevels& levels, const float* t, std::uint8_t* codes) noexcept {
  const float lo = levels.lo;
  const float hi = levels.hi;
  const auto lowest = static_cast<std::int32_t>(lo);
  for (std::size_t i = 0; i < kN; ++i) {
    const float above = t[i] > lo ? t[i] : lo;
    // The integer stands in the last bits of the sum, as in rounded().
    const float sum = (above < hi ? above : hi) + 0x1.8p23F;
    codes[i] = static_cast<std::uint8_t>(std::bit_cast<std::int32_t>(sum) - lowest);
  }
}

template <std::size_t kN, class L>
KERF_INLINE void codes_of_group(const L& levels, const float* x, std::size_t n, float inverse, float offset,
                                std::uint8_t* codes) noexcept {
  for (std::size_t i = 0; i < n; i += kN) {
    float t[kN];
    for (std::size_t j = 0; j < kN; ++j) t[j] = (x[i + j] - offset) * inverse;
    codes_of<kN>(levels, t, codes + i);
  }
}

/// The next eight numbers of eight groups of n: number j of group k goes to lane k of rows[j].
KERF_INLINE void load_transposed(const float* x, std::size_t n, Eight (&rows)[kLanes]) noexcept {
#pragma GCC unroll 8
  for (std::size_t k = 0; k < kLanes; ++k) rows[k] = Eight::load(x + k * n);
  transpose(rows);
}

}  // namespace

KERF_CLONES void load_numbers(Panel& panel, const float* x, std::size_t n) noexcept {
  panel.n = n;
  panel.weighted = false;
  Eight smallest = Eight::all(std::numeric_limits<float>::max());
  Eight largest = Eight::zero() - smallest;
  Eight sum = Eight::zero();
  for (std::size_t i = 0; i < n; i += kLanes) {
    Eight rows[kLanes];
    load_transposed(x + i, n, rows);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kLanes; j += 2) {
      smallest = smaller(smaller(rows[j], rows[j + 1]), smallest);
      largest = larger(larger(rows[j], rows[j + 1]), largest);
      sum += rows[j] + rows[j + 1];
      rows[j].store(panel.x[i + j]);
      rows[j + 1].store(panel.x[i + j + 1]);
    }
  }
  smallest.store(panel.smallest);
  largest.store(panel.largest);
  sum.store(panel.sum);
  Eight::zero().store(panel.centre);
  const Eight extent = larger(largest, Eight::zero() - smallest);
  const Eight one = Eight::all(1.0F);
  const Eight too_small =
      where_greater(Eight::all(kSmallestSafe), extent, where_greater(extent, Eight::zero(), one));
  Lanes unsafe;
  (too_small + where_greater(extent, Eight::all(kLargestSafe), one)).store(unsafe);
  panel.squares_are_safe = std::all_of(unsafe, unsafe + kLanes, [](float flag) { return flag == 0.0F; });
}

KERF_CLONES void load_weights(Panel& panel, const float* w, Lanes& largest) noexcept {
  panel.weighted = true;
  Eight most = Eight::zero();
  for (std::size_t i = 0; i < panel.n; i += kLanes) {
    Eight rows[kLanes];
    load_transposed(w + i, panel.n, rows);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kLanes; ++j) {
      most = larger(rows[j], most);
      rows[j].store(panel.w[i + j]);
    }
  }
  most.store(largest);
}

KERF_CLONES void change_weights(Panel& panel, const Lanes& factor, const Lanes& term) noexcept {
  const Eight f = Eight::load(factor);
  const Eight t = Eight::load(term);
  for (std::size_t i = 0; i < panel.n; ++i) (Eight::load(panel.w[i]) * f + t).store(panel.w[i]);
}

KERF_CLONES void multiply(Panel& panel, const Lanes& factor) noexcept {
  const Eight f = Eight::load(factor);
  for (std::size_t i = 0; i < panel.n; ++i) (Eight::load(panel.x[i]) * f).store(panel.x[i]);
  (Eight::load(panel.smallest) * f).store(panel.smallest);
  (Eight::load(panel.largest) * f).store(panel.largest);
  (Eight::load(panel.sum) * f).store(panel.sum);
}

KERF_CLONES void centre_far_groups(Panel& panel) noexcept {
  bool any = false;
  for (std::size_t k = 0; k < kLanes; ++k) {
    const float middle = 0.5F * panel.smallest[k] + 0.5F * panel.largest[k];
    const bool far = std::fabs(middle) > 2.0F * (panel.largest[k] - panel.smallest[k]);
    panel.centre[k] = far ? middle : 0.0F;
    any = any || far;
  }
  if (!any) return;
  const Eight centre = Eight::load(panel.centre);
  Eight sum = Eight::zero();
  for (std::size_t i = 0; i < panel.n; i += 2) {
    const Eight x0 = Eight::load(panel.x[i]) - centre;
    const Eight x1 = Eight::load(panel.x[i + 1]) - centre;
    sum += x0 + x1;
    x0.store(panel.x[i]);
    x1.store(panel.x[i + 1]);
  }
  sum.store(panel.sum);
  (Eight::load(panel.smallest) - centre).store(panel.smallest);
  (Eight::load(panel.largest) - centre).store(panel.largest);
}

KERF_CLONES void moments(const Panel& panel, Moments& sums) noexcept {
  if (!panel.weighted) {
    Eight::all(static_cast<float>(panel.n)).store(sums.w);
    Eight::load(panel.sum).store(sums.x);
    return;
  }
  Eight sum_w = Eight::zero();
  Eight sum_x = Eight::zero();
  for (std::size_t i = 0; i < panel.n; i += 2) {  // in the order of load_numbers()
    const Eight w0 = Eight::load(panel.w[i]);
    const Eight w1 = Eight::load(panel.w[i + 1]);
    sum_w += w0 + w1;
    sum_x += w0 * Eight::load(panel.x[i]) + w1 * Eight::load(panel.x[i + 1]);
  }
  sum_w.store(sums.w);
  sum_x.store(sums.x);
}

KERF_CLONES void grid_errors(const Panel& panel, const Levels& levels, const Lanes& scale,
                             const Lanes& offset, Lanes& error, LevelSums& sums) noexcept {
  with_levels(levels, [&](const auto& some) KERF_INLINE_LAMBDA {
    if (panel.weighted)
      grid_errors_of<true>(panel, some, scale, offset, error, sums);
    else
      grid_errors_of<false>(panel, some, scale, offset, error, sums);
  });
}

KERF_CLONES void choose_codes(const Levels& levels, const float* x, std::size_t n, std::size_t n_groups,
                              const float* scale, const float* offset, std::uint8_t* codes) noexcept {
  float inverse[Grid::kMaxGroups];
  for (std::size_t g = 0; g < n_groups; ++g) inverse[g] = safe_inverse(scale[g]);
  with_levels(levels, [&](const auto& some) KERF_INLINE_LAMBDA {
    if (n % 32 == 0)
      for (std::size_t g = 0; g < n_groups; ++g)
        codes_of_group<32>(some, x + g * n, n, inverse[g], offset[g], codes + g * n);
    else
      for (std::size_t g = 0; g < n_groups; ++g)
        codes_of_group<16>(some, x + g * n, n, inverse[g], offset[g], codes + g * n);
  });
}

}  // namespace kerf

#include "kerf/quantizers/panel.h"

#include <algorithm>
#include <cmath>
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

}  // namespace

Levels::Levels(const Grid& grid) noexcept
    : kind(grid.uniform                       ? Kind::uniform
           : has_mirrored_levels(grid.levels) ? Kind::mirrored
                                              : Kind::table),
      uniform{.lo = grid.levels.front(), .hi = grid.levels.back()} {
  if (kind == Kind::table) table = table_of(grid.levels);
  if (kind == Kind::mirrored) mirrored.positive = table_of(grid.levels.subspan(grid.levels.size() / 2));
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

/// How many midpoints lie below each of 16 numbers.
KERF_INLINE void count_midpoints(const TableLevels& levels, const float* t, std::int32_t* count) noexcept {
  for (std::size_t i = 0; i < 16; ++i) count[i] = 0;
  for (std::size_t c = 0; c < levels.n_midpoints; ++c)
    for (std::size_t i = 0; i < 16; ++i) count[i] += t[i] > levels.midpoint[c] ? 1 : 0;
}

KERF_INLINE void codes_of_16(const TableLevels& levels, const float* t, std::uint8_t* codes) noexcept {
  std::int32_t count[16];
  count_midpoints(levels, t, count);
  for (std::size_t i = 0; i < 16; ++i) codes[i] = static_cast<std::uint8_t>(count[i]);
}

KERF_INLINE void codes_of_16(const MirroredLevels& levels, const float* t, std::uint8_t* codes) noexcept {
  float magnitude[16];
  std::int32_t count[16];
  for (std::size_t i = 0; i < 16; ++i) magnitude[i] = std::fabs(t[i]);
  count_midpoints(levels.positive, magnitude, count);
  const auto zero = static_cast<std::int32_t>(levels.positive.n_midpoints);
  for (std::size_t i = 0; i < 16; ++i)
    codes[i] = static_cast<std::uint8_t>(t[i] < 0.0F ? zero - count[i] : zero + count[i]);
}

/// n is a multiple of 16, as in every format.
template <class L>
KERF_INLINE void codes_of_group(const L& levels, const float* x, std::size_t n, float scale, float offset,
                                std::uint8_t* codes) noexcept {
  const float inverse = safe_inverse(scale);
  for (std::size_t i = 0; i < n; i += 16) {
    float t[16];
    for (std::size_t j = 0; j < 16; ++j) t[j] = (x[i + j] - offset) * inverse;
    codes_of_16(levels, t, codes + i);
  }
}

KERF_INLINE void codes_of_group(const UniformLevels& levels, const float* x, std::size_t n, float scale,
                                float offset, std::uint8_t* codes) noexcept {
  const float inverse = safe_inverse(scale);
  const float lo = levels.lo;
  const float hi = levels.hi;
  for (std::size_t i = 0; i < n; ++i) {
    const float t = (x[i] - offset) * inverse;
    const float above = t > lo ? t : lo;
    const float level = __builtin_rintf(above < hi ? above : hi);
    codes[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level - lo));
  }
}

}  // namespace

KERF_CLONES void load_numbers(Panel& panel, const float* x, std::size_t n, std::size_t n_groups) noexcept {
  panel.n = n;
  panel.weighted = false;
  // A missing group reads the first one and is zeroed: no branch in the loop.
  std::size_t start[kLanes];
  Lanes keep;
  for (std::size_t k = 0; k < kLanes; ++k) {
    start[k] = k < n_groups ? k * n : 0;
    keep[k] = k < n_groups ? 1.0F : 0.0F;
    panel.centre[k] = 0.0F;
  }
  Eight smallest = Eight::all(std::numeric_limits<float>::max());
  Eight largest = Eight::zero() - smallest;
  for (std::size_t i = 0; i < n; ++i) {
    Lanes gathered;
    for (std::size_t k = 0; k < kLanes; ++k) gathered[k] = x[start[k] + i];
    const Eight numbers = Eight::load(gathered) * Eight::load(keep);
    smallest = smaller(numbers, smallest);
    largest = larger(numbers, largest);
    numbers.store(panel.x[i]);
  }
  smallest.store(panel.smallest);
  largest.store(panel.largest);
}

KERF_CLONES void load_weights(Panel& panel, const float* w, std::size_t n_groups, const Lanes& factor,
                              const Lanes& term) noexcept {
  panel.weighted = true;
  for (std::size_t i = 0; i < panel.n; ++i)
    for (std::size_t k = 0; k < kLanes; ++k)
      panel.w[i][k] = k < n_groups ? w[k * panel.n + i] * factor[k] + term[k] : 1.0F;
}

KERF_CLONES void multiply(Panel& panel, const Lanes& factor) noexcept {
  const Eight f = Eight::load(factor);
  for (std::size_t i = 0; i < panel.n; ++i) (Eight::load(panel.x[i]) * f).store(panel.x[i]);
  (Eight::load(panel.smallest) * f).store(panel.smallest);
  (Eight::load(panel.largest) * f).store(panel.largest);
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
  for (std::size_t i = 0; i < panel.n; ++i) (Eight::load(panel.x[i]) - centre).store(panel.x[i]);
  (Eight::load(panel.smallest) - centre).store(panel.smallest);
  (Eight::load(panel.largest) - centre).store(panel.largest);
}

KERF_CLONES void moments(const Panel& panel, Moments& sums) noexcept {
  Eight sum_w = Eight::zero();
  Eight sum_x = Eight::zero();
  for (std::size_t i = 0; i < panel.n; ++i) {
    const Eight x = Eight::load(panel.x[i]);
    const Eight w = panel.weighted ? Eight::load(panel.w[i]) : Eight::all(1.0F);
    sum_w += w;
    sum_x += w * x;
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
  with_levels(levels, [&](const auto& some) KERF_INLINE_LAMBDA {
    for (std::size_t g = 0; g < n_groups; ++g)
      codes_of_group(some, x + g * n, n, scale[g], offset[g], codes + g * n);
  });
}

}  // namespace kerf

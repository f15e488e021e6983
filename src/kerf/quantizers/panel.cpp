#include "kerf/quantizers/panel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"

namespace kerf {

Levels::Levels(const Grid& grid) noexcept
    : is_uniform(grid.uniform),
      n(grid.levels.size()),
      uniform{.lo = grid.levels.front(), .hi = grid.levels.back()},
      table{} {
  if (is_uniform) return;
  KERF_CHECK(n <= TableLevels::kMax);
  table.n = n;
  table.lowest = grid.levels.front();
  for (std::size_t c = 0; c + 1 < n; ++c) {
    table.midpoint[c] = 0.5F * (grid.levels[c] + grid.levels[c + 1]);
    table.rise[c] = grid.levels[c + 1] - grid.levels[c];
  }
}

float safe_inverse(float scale) noexcept {
  if (scale == 0.0F) return 0.0F;
  constexpr float kMax = std::numeric_limits<float>::max();
  return std::clamp(1.0F / scale, -kMax, kMax);
}

namespace {

// A NaN (0 · ∞ of hopeless parameters) becomes the highest level, a level like any other.
KERF_INLINE void nearest(const UniformLevels& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
  const Eight lo = Eight::all(levels.lo);
  const Eight hi = Eight::all(levels.hi);
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = rounded(smaller(larger(t[c], lo), hi));
}

KERF_INLINE void nearest(const TableLevels& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = Eight::all(levels.lowest);
  for (std::size_t m = 0; m + 1 < levels.n; ++m) {
    const Eight midpoint = Eight::all(levels.midpoint[m]);
    const Eight rise = Eight::all(levels.rise[m]);
#pragma GCC unroll 4
    for (std::size_t c = 0; c < n; ++c) l[c] += where_greater(t[c], midpoint, rise);
  }
}

template <std::size_t kCandidates, bool kShifted, bool kWeighted, class L>
KERF_INLINE void score_some(const Panel& panel, const L& levels, const Candidate* candidates,
                            LevelSums* sums) noexcept {
  Eight inverse[kCandidates];
  Eight shift[kCandidates];
  Eight sum_l[kCandidates];
  Eight sum_ll[kCandidates];
  Eight sum_xl[kCandidates];
#pragma GCC unroll 4
  for (std::size_t c = 0; c < kCandidates; ++c) {
    inverse[c] = Eight::load(candidates[c].inverse);
    shift[c] = Eight::load(candidates[c].shift);
    sum_l[c] = sum_ll[c] = sum_xl[c] = Eight::zero();
  }
  for (std::size_t i = 0; i < panel.n; ++i) {
    const Eight x = Eight::load(panel.x[i]);
    Eight t[kCandidates];
    Eight l[kCandidates];
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kCandidates; ++c) {
      t[c] = x * inverse[c];
      if constexpr (kShifted) t[c] += shift[c];
    }
    nearest(levels, t, l, kCandidates);
#pragma GCC unroll 4
    for (std::size_t c = 0; c < kCandidates; ++c) {
      const Eight wl = kWeighted ? Eight::load(panel.w[i]) * l[c] : l[c];
      if constexpr (kShifted) sum_l[c] += wl;
      sum_ll[c] += wl * l[c];
      sum_xl[c] += wl * x;
    }
  }
#pragma GCC unroll 4
  for (std::size_t c = 0; c < kCandidates; ++c) {
    sum_l[c].store(sums[c].l);
    sum_ll[c].store(sums[c].ll);
    sum_xl[c].store(sums[c].xl);
  }
}

// Candidates go in batches that fit the registers, so that a number is loaded once for all of them.
template <bool kShifted, bool kWeighted, class L>
KERF_INLINE void score_all(const Panel& panel, const L& levels, const Candidate* candidates, std::size_t n,
                           LevelSums* sums) noexcept {
  constexpr std::size_t kBatch = kShifted ? 3 : 4;
  std::size_t c = 0;
  for (; c + kBatch <= n; c += kBatch)
    score_some<kBatch, kShifted, kWeighted>(panel, levels, candidates + c, sums + c);
  for (; c < n; ++c) score_some<1, kShifted, kWeighted>(panel, levels, candidates + c, sums + c);
}

template <bool kShifted, class L>
KERF_INLINE void score_weighted_or_not(const Panel& panel, const L& levels, const Candidate* candidates,
                                       std::size_t n, LevelSums* sums) noexcept {
  if (panel.weighted)
    score_all<kShifted, true>(panel, levels, candidates, n, sums);
  else
    score_all<kShifted, false>(panel, levels, candidates, n, sums);
}

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

}  // namespace

KERF_CLONES void load_panel(Panel& panel, const float* x, const float* w, std::size_t n, std::size_t n_groups,
                            const Entry& entry) noexcept {
  panel.n = n;
  panel.weighted = w != nullptr;
  for (std::size_t k = 0; k < kLanes; ++k) panel.centre[k] = 0.0F;
  // A missing group reads the first one and is zeroed by its factor: no branch in the loop.
  std::size_t start[kLanes];
  Lanes keep;
  for (std::size_t k = 0; k < kLanes; ++k) {
    start[k] = k < n_groups ? k * n : 0;
    keep[k] = k < n_groups ? entry.x_factor[k] : 0.0F;
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < kLanes; ++k) panel.x[i][k] = x[start[k] + i] * keep[k];
  if (w == nullptr) return;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < kLanes; ++k)
      panel.w[i][k] = w[start[k] + i] * entry.w_factor[k] + entry.w_term[k];
}

KERF_CLONES void extremes(const Panel& panel, Lanes& smallest, Lanes& largest) noexcept {
  Eight lo = Eight::load(panel.x[0]);
  Eight hi = lo;
  for (std::size_t i = 1; i < panel.n; ++i) {
    const Eight x = Eight::load(panel.x[i]);
    lo = smaller(x, lo);
    hi = larger(x, hi);
  }
  lo.store(smallest);
  hi.store(largest);
}

KERF_CLONES void centre_far_groups(Panel& panel) noexcept {
  Lanes smallest;
  Lanes largest;
  extremes(panel, smallest, largest);
  bool any = false;
  for (std::size_t k = 0; k < kLanes; ++k) {
    const float middle = 0.5F * smallest[k] + 0.5F * largest[k];
    const bool far = std::fabs(middle) > 2.0F * (largest[k] - smallest[k]);
    panel.centre[k] = far ? middle : 0.0F;
    any = any || far;
  }
  if (!any) return;
  const Eight centre = Eight::load(panel.centre);
  for (std::size_t i = 0; i < panel.n; ++i) (Eight::load(panel.x[i]) - centre).store(panel.x[i]);
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

KERF_CLONES void score(const Panel& panel, const Levels& levels, const Candidate* candidates, std::size_t n,
                       bool shifted, LevelSums* sums) noexcept {
  if (levels.is_uniform && shifted)
    score_weighted_or_not<true>(panel, levels.uniform, candidates, n, sums);
  else if (levels.is_uniform)
    score_weighted_or_not<false>(panel, levels.uniform, candidates, n, sums);
  else if (shifted)
    score_weighted_or_not<true>(panel, levels.table, candidates, n, sums);
  else
    score_weighted_or_not<false>(panel, levels.table, candidates, n, sums);
}

KERF_CLONES void grid_errors(const Panel& panel, const Levels& levels, const Lanes& scale,
                             const Lanes& offset, Lanes& error, LevelSums& sums) noexcept {
  if (levels.is_uniform && panel.weighted)
    grid_errors_of<true>(panel, levels.uniform, scale, offset, error, sums);
  else if (levels.is_uniform)
    grid_errors_of<false>(panel, levels.uniform, scale, offset, error, sums);
  else if (panel.weighted)
    grid_errors_of<true>(panel, levels.table, scale, offset, error, sums);
  else
    grid_errors_of<false>(panel, levels.table, scale, offset, error, sums);
}

KERF_CLONES void choose_codes(const Levels& levels, const float* x, std::size_t n, float scale, float offset,
                              std::uint8_t* codes) noexcept {
  const float inverse = safe_inverse(scale);
  if (levels.is_uniform) {
    const float lo = levels.uniform.lo;
    const float hi = levels.uniform.hi;
    for (std::size_t i = 0; i < n; ++i) {
      const float t = (x[i] - offset) * inverse;
      const float above = t > lo ? t : lo;
      const float level = __builtin_rintf(above < hi ? above : hi);
      codes[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level - lo));
    }
    return;
  }
  const TableLevels& table = levels.table;
  std::uint32_t wide[Grid::kMaxBlock] = {};
  for (std::size_t c = 0; c + 1 < table.n; ++c) {
    const float midpoint = table.midpoint[c];
    for (std::size_t i = 0; i < n; ++i) wide[i] += (x[i] - offset) * inverse > midpoint ? 1U : 0U;
  }
  for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<std::uint8_t>(wide[i]);
}

}  // namespace kerf

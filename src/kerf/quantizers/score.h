// The inner loop of every search: nearest levels of eight groups for several candidate grids at once. Inlined
// into KERF_CLONES functions.
#pragma once

#include "kerf/quantizers/panel.h"

namespace kerf {

// A NaN (0 · ∞ of hopeless parameters) becomes the highest level, a level like any other.
KERF_INLINE void nearest(const UniformLevels& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
  const Eight lo = Eight::all(levels.lo);
  const Eight hi = Eight::all(levels.hi);
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = rounded(smaller(larger(t[c], lo), hi));
}

/// Uniform levels for candidates that send no number half a level or more below the lowest.
struct BoundedBelow {
  float lo, hi;
};

KERF_INLINE void nearest(const BoundedBelow& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
  const Eight hi = Eight::all(levels.hi);
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = rounded(smaller(t[c], hi));
}

/// Uniform levels for candidates that send every number less than half a level beyond the ends.
struct Unbounded {
  float lo, hi;
};

KERF_INLINE void nearest(const Unbounded& /*levels*/, const Eight* t, Eight* l, std::size_t n) noexcept {
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = rounded(t[c]);
}

KERF_INLINE void nearest(const MinifloatLevels& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
  const Eight hi = Eight::all(levels.hi);
  const Eight lo = Eight::zero() - hi;
  const Eight least = Eight::all(levels.smallest_normal);
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) {
    const Eight inside = smaller(larger(t[c], lo), hi);
    const Eight magic = power_of_two_below(larger(magnitude(inside), least)) * Eight::all(levels.magic);
    l[c] = (inside + magic) - magic;
  }
}

KERF_INLINE void nearest(const TableLevels& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = Eight::all(levels.lowest);
  for (std::size_t m = 0; m < levels.n_midpoints; ++m) {
    const Eight midpoint = Eight::all(levels.midpoint[m]);
    const Eight rise = Eight::all(levels.rise[m]);
#pragma GCC unroll 4
    for (std::size_t c = 0; c < n; ++c) l[c] += where_greater(t[c], midpoint, rise);
  }
}

KERF_INLINE void nearest(const MirroredLevels& levels, const Eight* t, Eight* l, std::size_t n) noexcept {
  Eight magnitudes[4];
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) magnitudes[c] = magnitude(t[c]);
  nearest(levels.positive, magnitudes, l, n);
#pragma GCC unroll 4
  for (std::size_t c = 0; c < n; ++c) l[c] = where_greater(t[c], Eight::zero(), l[c], Eight::zero() - l[c]);
}

/// Calls f with the levels of the right kind.
template <class F>
KERF_INLINE void with_levels(const Levels& levels, const F& f) noexcept {
  switch (levels.kind) {
    case Levels::Kind::uniform:
      return f(levels.uniform);
    case Levels::Kind::table:
      return f(levels.table);
    case Levels::Kind::mirrored:
      return f(levels.mirrored);
    case Levels::Kind::minifloat:
      return f(levels.minifloat);
  }
}

/// LevelSums of one candidate, in registers.
struct Score {
  Eight l, ll, xl;
};

/// Scores kCandidates grids: l is the level nearest to x · inverse + shift. Without shift sum.l is not made.
/// That many fit the registers, so that a number is loaded once for all of them.
template <std::size_t kCandidates, bool kShifted, bool kWeighted, class L>
KERF_INLINE void score(const Panel& panel, const L& levels, const Eight* inverse, const Eight* shift,
                       Score* sums) noexcept {
#pragma GCC unroll 4
  for (std::size_t c = 0; c < kCandidates; ++c) sums[c] = {Eight::zero(), Eight::zero(), Eight::zero()};
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
      if constexpr (kShifted) sums[c].l += wl;
      sums[c].ll += wl * l[c];
      sums[c].xl += wl * x;
    }
  }
}

}  // namespace kerf

#include "kerf/quantizers/feedback_lanes.h"

#include <algorithm>
#include <bit>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"

namespace kerf {
namespace {

/// kN columns of x at a time, 16 rows of each, so that the sums stay in registers.
template <std::size_t kN>
KERF_INLINE void subtract_from(Column* x, const Column* e, const float* m, std::size_t stride,
                               std::size_t first, std::size_t last) noexcept {
  constexpr std::size_t kWide = 2;
  for (std::size_t r = 0; r < kPieceRows; r += kWide * kLanes) {
    Eight sum[kN][kWide];
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kN; ++j)
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kWide; ++v) sum[j][v] = Eight::zero();
    for (std::size_t i = first; i < last; ++i) {
      Eight row[kWide];
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kWide; ++v) row[v] = Eight::load(e[i].lane + r + v * kLanes);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < kN; ++j) {
        const Eight factor = Eight::all(m[j * stride + i]);
#pragma GCC unroll 2
        for (std::size_t v = 0; v < kWide; ++v) sum[j][v] += factor * row[v];
      }
    }
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kN; ++j)
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kWide; ++v) {
        float* target = x[j].lane + r + v * kLanes;
        (Eight::load(target) - sum[j][v]).store(target);
      }
  }
}

}  // namespace

KERF_CLONES void subtract_products(Column* x, const Column* e, const float* m, std::size_t stride,
                                   std::size_t from, std::size_t to, std::size_t first,
                                   std::size_t last) noexcept {
  std::size_t j = from;
  for (; j + 4 <= to; j += 4) subtract_from<4>(x + j, e, m + j * stride, stride, first, last);
  for (; j < to; ++j) subtract_from<1>(x + j, e, m + j * stride, stride, first, last);
}

void rows_to_columns(const float* rows, std::size_t n_rows, std::size_t n_cols, Column* x) noexcept {
  for (std::size_t j = 0; j < n_cols; ++j) {
    for (std::size_t r = 0; r < n_rows; ++r) x[j][r] = rows[r * n_cols + j];
    std::fill(x[j].lane + n_rows, x[j].lane + kPieceRows, 0.0F);
  }
}

KERF_CLONES void quadratic_forms(const Column* d, const float* m, std::size_t n, double* form) noexcept {
  // Σ d_j (m_jj d_j + 2 Σ_{i<j} m_ji d_i)
  std::fill_n(form, kPieceRows, 0.0);
  constexpr std::size_t kAtOnce = 4;
  for (std::size_t first = 0; first < n; first += kAtOnce) {
    const std::size_t last = std::min(n, first + kAtOnce);
    Column below[kAtOnce] = {};
    if (last - first == kAtOnce)
      subtract_from<kAtOnce>(below, d, m + first * n, n, 0, first);
    else
      for (std::size_t j = first; j < last; ++j)
        subtract_from<1>(below + (j - first), d, m + j * n, n, 0, first);
    for (std::size_t j = first; j < last; ++j) {
      Column& sum = below[j - first];
      for (std::size_t i = first; i < j; ++i)
        for (std::size_t r = 0; r < kPieceRows; ++r) sum[r] -= m[j * n + i] * d[i][r];
      for (std::size_t r = 0; r < kPieceRows; ++r)
        form[r] += static_cast<double>(d[j][r]) *
                   (static_cast<double>(m[j * n + j]) * d[j][r] - 2.0 * static_cast<double>(sum[r]));
    }
  }
}

LaneLevels::LaneLevels(std::span<const float> levels, bool uniform) noexcept
    : levels_(levels), uniform_(uniform) {
  KERF_CHECK(!levels.empty() && levels.size() <= 256);
  for (std::size_t c = 0; c + 1 < levels.size(); ++c) midpoints_[c] = 0.5F * (levels[c] + levels[c + 1]);
}

namespace {

KERF_CLONES void round_uniform(float lo, float hi, const Column& x, const Column& inverse,
                               const Column& scale, const Column& offset, Column& back,
                               std::uint8_t* codes) noexcept {
  const auto lowest = static_cast<std::int32_t>(lo);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    const float t = (x[r] - offset[r]) * inverse[r];
    const float above = t > lo ? t : lo;
    // The integer stands in the last bits of the sum, as in rounded().
    const float sum = (above < hi ? above : hi) + 0x1.8p23F;
    back[r] = scale[r] * (sum - 0x1.8p23F) + offset[r];
    codes[r] = static_cast<std::uint8_t>(std::bit_cast<std::int32_t>(sum) - lowest);
  }
}

KERF_CLONES void count_midpoints(const float* midpoints, std::size_t n, const Column& x,
                                 const Column& inverse, const Column& offset, std::uint8_t* codes) noexcept {
  Column t;
  std::int32_t count[kPieceRows] = {};
  for (std::size_t r = 0; r < kPieceRows; ++r) t[r] = (x[r] - offset[r]) * inverse[r];
  for (std::size_t c = 0; c < n; ++c)
    for (std::size_t r = 0; r < kPieceRows; ++r) count[r] += t[r] > midpoints[c] ? 1 : 0;
  for (std::size_t r = 0; r < kPieceRows; ++r) codes[r] = static_cast<std::uint8_t>(count[r]);
}

}  // namespace

void LaneLevels::round(const Column& x, const Column& inverse, const Column& scale, const Column& offset,
                       Column& back, std::uint8_t* codes) const noexcept {
  if (uniform_) return round_uniform(levels_.front(), levels_.back(), x, inverse, scale, offset, back, codes);
  const std::size_t n = levels_.size() - 1;
  if (levels_.size() <= kFew)
    count_midpoints(midpoints_, n, x, inverse, offset, codes);
  else
    for (std::size_t r = 0; r < kPieceRows; ++r)
      codes[r] = static_cast<std::uint8_t>(
          std::lower_bound(midpoints_, midpoints_ + n, (x[r] - offset[r]) * inverse[r]) - midpoints_);
  for (std::size_t r = 0; r < kPieceRows; ++r) back[r] = scale[r] * levels_[codes[r]] + offset[r];
}

}  // namespace kerf

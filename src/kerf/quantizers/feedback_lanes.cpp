#include "kerf/quantizers/feedback_lanes.h"

#include <algorithm>
#include <bit>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/quantizers/panel.h"

namespace kerf {
namespace {

/// kN columns of x at a time, 16 rows of each, so that the sums stay in registers.
template <std::size_t kN>
KERF_INLINE void subtract_from(Column* x, const Column* e, std::size_t n, const MatrixView& m) noexcept {
  constexpr std::size_t kWide = 2;
  for (std::size_t r = 0; r < kPieceRows; r += kWide * kLanes) {
    Eight sum[kN][kWide];
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kN; ++j)
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kWide; ++v) sum[j][v] = Eight::zero();
    for (std::size_t i = 0; i < n; ++i) {
      Eight row[kWide];
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kWide; ++v) row[v] = Eight::load(e[i].lane + r + v * kLanes);
#pragma GCC unroll 4
      for (std::size_t j = 0; j < kN; ++j) {
        const Eight factor = Eight::all(m.at[j * m.stride + i]);
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

KERF_CLONES void subtract_products(Column* x, std::size_t n_columns, const Column* e, std::size_t n,
                                   MatrixView m) noexcept {
  std::size_t j = 0;
  for (; j + 4 <= n_columns; j += 4) subtract_from<4>(x + j, e, n, m.from(j, 0));
  for (; j < n_columns; ++j) subtract_from<1>(x + j, e, n, m.from(j, 0));
}

void rows_to_columns(const float* rows, std::size_t n_rows, std::size_t n_cols, Column* x) noexcept {
  for (std::size_t j = 0; j < n_cols; ++j) {
    for (std::size_t r = 0; r < n_rows; ++r) x[j][r] = rows[r * n_cols + j];
    std::fill(x[j].lane + n_rows, x[j].lane + kPieceRows, 0.0F);
  }
}

KERF_CLONES void products(const Column* a, const Column* b, std::size_t n, Sums& sums) noexcept {
  sums = {};
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < kPieceRows; ++r)
      sums[r] += static_cast<double>(a[j][r]) * static_cast<double>(b[j][r]);
}

KERF_CLONES void quadratic_forms(const Column* d, MatrixView m, const float* diagonal, std::size_t n,
                                 Sums& forms) noexcept {
  // Σ d_j (m_jj d_j + 2 Σ_{i<j} m_ji d_i)
  forms = {};
  constexpr std::size_t kAtOnce = 4;
  for (std::size_t first = 0; first < n; first += kAtOnce) {
    const std::size_t n_columns = std::min(n - first, kAtOnce);
    Column below[kAtOnce] = {};
    if (n_columns == kAtOnce)
      subtract_from<kAtOnce>(below, d, first, m.from(first, 0));
    else
      for (std::size_t j = 0; j < n_columns; ++j) subtract_from<1>(below + j, d, first, m.from(first + j, 0));
    for (std::size_t j = 0; j < n_columns; ++j) {
      const float* row = m.at + (first + j) * m.stride + first;
      for (std::size_t i = 0; i < j; ++i)
        for (std::size_t r = 0; r < kPieceRows; ++r) below[j][r] -= row[i] * d[first + i][r];
      for (std::size_t r = 0; r < kPieceRows; ++r) {
        const double value = d[first + j][r];
        forms[r] += value * (diagonal[first + j] * value - 2.0 * static_cast<double>(below[j][r]));
      }
    }
  }
}

void Line::set(std::size_t row, float new_scale, float new_offset) noexcept {
  scale[row] = new_scale;
  inverse[row] = safe_inverse(new_scale);
  offset[row] = new_offset;
}

LaneLevels::LaneLevels(std::span<const float> levels, bool uniform) noexcept
    : levels_(levels), uniform_(uniform) {
  KERF_CHECK(!levels.empty() && levels.size() <= std::size(midpoints_) + 1);
  for (std::size_t c = 0; c + 1 < levels.size(); ++c) midpoints_[c] = 0.5F * (levels[c] + levels[c + 1]);
}

namespace {

KERF_CLONES void round_uniform(float lo, float hi, const Column& x, const Line& line, Column& back,
                               std::uint8_t* codes) noexcept {
  const auto lowest = static_cast<std::int32_t>(lo);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    const float t = (x[r] - line.offset[r]) * line.inverse[r];
    const float above = t > lo ? t : lo;
    // The integer stands in the last bits of the sum, as in rounded().
    const float sum = (above < hi ? above : hi) + 0x1.8p23F;
    back[r] = line.scale[r] * (sum - 0x1.8p23F) + line.offset[r];
    codes[r] = static_cast<std::uint8_t>(std::bit_cast<std::int32_t>(sum) - lowest);
  }
}

KERF_CLONES void count_midpoints(const float* midpoints, std::size_t n, const Column& x, const Line& line,
                                 std::uint8_t* codes) noexcept {
  Column t;
  std::int32_t count[kPieceRows] = {};
  for (std::size_t r = 0; r < kPieceRows; ++r) t[r] = (x[r] - line.offset[r]) * line.inverse[r];
  for (std::size_t c = 0; c < n; ++c)
    for (std::size_t r = 0; r < kPieceRows; ++r) count[r] += t[r] > midpoints[c] ? 1 : 0;
  for (std::size_t r = 0; r < kPieceRows; ++r) codes[r] = static_cast<std::uint8_t>(count[r]);
}

}  // namespace

void LaneLevels::round(const Column& x, const Line& line, Column& back, std::uint8_t* codes) const noexcept {
  if (uniform_) return round_uniform(levels_.front(), levels_.back(), x, line, back, codes);
  constexpr std::size_t kFew = 16;  // to compare with each is faster than to bisect
  const std::size_t n = levels_.size() - 1;
  if (n < kFew)
    count_midpoints(midpoints_, n, x, line, codes);
  else
    for (std::size_t r = 0; r < kPieceRows; ++r) {
      const float t = (x[r] - line.offset[r]) * line.inverse[r];
      codes[r] = static_cast<std::uint8_t>(std::lower_bound(midpoints_, midpoints_ + n, t) - midpoints_);
    }
  for (std::size_t r = 0; r < kPieceRows; ++r) back[r] = line.scale[r] * levels_[codes[r]] + line.offset[r];
}

}  // namespace kerf

#include "kerf/methods/row_rounder.h"

#include <algorithm>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

/// A column without importance would be rounded to anything; it keeps this part of the mean.
constexpr float kLeastImportance = 1e-4F;

/// Σ weight[i] · (x[i] − y[i])². Eight fixed lanes, so that every instruction set adds in the same order.
KERF_CLONES double weighted_squares(const float* x, const float* y, const float* weight,
                                    std::size_t n) noexcept {
  constexpr std::size_t kLanes = 8;
  double sums[kLanes] = {};
  const std::size_t whole = n / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double d = static_cast<double>(x[i + lane]) - (y == nullptr ? 0.0F : y[i + lane]);
      sums[lane] += (weight == nullptr ? 1.0F : weight[i + lane]) * (d * d);
    }
  double sum = 0;
  for (const double lane : sums) sum += lane;
  for (std::size_t i = whole; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - (y == nullptr ? 0.0F : y[i]);
    sum += (weight == nullptr ? 1.0F : weight[i]) * (d * d);
  }
  return sum;
}

}  // namespace

ColumnRounder::ColumnRounder(std::vector<float> importance, const QuantizeOptions& search)
    : importance_(std::move(importance)), search_(search) {
  double sum = 0;
  for (const float w : importance_) sum += w;
  const auto mean =
      static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(importance_.size(), 1)));
  for (float& w : importance_) w = mean > 0 ? std::max(w, kLeastImportance * mean) : 1.0F;
}

void ColumnRounder::round(const Format& format, const float* w, std::uint8_t* dst, std::size_t n_rows,
                          std::size_t n_cols) const {
  quantize_rows(format, w, importance_.empty() ? nullptr : importance_.data(), dst, n_rows, n_cols, search_);
}

double ColumnRounder::cost(const float* w, const float* back, std::size_t n_rows, std::size_t n_cols) const {
  double sum = 0;
  for (std::size_t r = 0; r < n_rows; ++r)
    sum += weighted_squares(w + r * n_cols, back == nullptr ? nullptr : back + r * n_cols,
                            importance_.empty() ? nullptr : importance_.data(), n_cols);
  return sum;
}

}  // namespace kerf

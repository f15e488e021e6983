// What the tests of error feedback share.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/quantizers/feedback.h"

namespace kerf {

using Numbers = std::vector<float>;
using FormatBytes = std::vector<std::uint8_t>;

inline Numbers normal_numbers(std::uint64_t seed, std::size_t n) {
  Rng rng(seed);
  Numbers numbers(n);
  for (float& x : numbers) x = static_cast<float>(rng.normal());
  return numbers;
}

/// The covariance of a first-order autoregressive process: ρ^|i − j|.
inline Numbers autoregressive(std::size_t n, double rho) {
  Numbers h(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      h[i * n + j] = static_cast<float>(std::pow(rho, i > j ? i - j : j - i));
  return h;
}

inline Feedback feedback_of(const Numbers& h, const FeedbackOptions& options = {}) {
  auto feedback = Feedback::make(h, static_cast<std::size_t>(std::lround(std::sqrt(h.size()))), options);
  EXPECT_TRUE(feedback);
  return *std::move(feedback);
}

inline FormatBytes rounded(const Feedback& feedback, const Format& format, const Numbers& w) {
  const std::size_t n_rows = w.size() / feedback.n_cols();
  FormatBytes bytes(n_rows * format.row_bytes(feedback.n_cols()));
  feedback.quantize_rows(format, w.data(), bytes.data(), n_rows);
  return bytes;
}

inline FormatBytes rounded_plainly(const Feedback& feedback, const Format& format, const Numbers& w,
                                   const QuantizeOptions& options = {}) {
  const std::size_t n_rows = w.size() / feedback.n_cols();
  FormatBytes bytes(n_rows * format.row_bytes(feedback.n_cols()));
  quantize_rows(format, w.data(), feedback.importance().data(), bytes.data(), n_rows, feedback.n_cols(),
                options);
  return bytes;
}

inline Numbers decoded(const Format& format, const FormatBytes& bytes, std::size_t n_cols) {
  const std::size_t n_rows = bytes.size() / format.row_bytes(n_cols);
  Numbers back(n_rows * n_cols);
  decode_rows(format, bytes.data(), n_rows, n_cols, back.data());
  return back;
}

/// d·H·dᵀ of each row, as it is written.
inline std::vector<double> costs(const Numbers& h, const Numbers& w, const Numbers& back) {
  const auto n = static_cast<std::size_t>(std::lround(std::sqrt(h.size())));
  std::vector<double> sums;
  std::vector<double> d(n);
  for (std::size_t r = 0; r < w.size(); r += n) {
    for (std::size_t i = 0; i < n; ++i) d[i] = static_cast<double>(w[r + i]) - back[r + i];
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      double response = 0;
      for (std::size_t j = 0; j < n; ++j) response += h[i * n + j] * d[j];
      sum += d[i] * response;
    }
    sums.push_back(sum);
  }
  return sums;
}

inline double sum_of(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double x : numbers) sum += x;
  return sum;
}

}  // namespace kerf

// Factors of columns: AWQ and SmoothQuant on worked examples (NumPy, binary64).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kerf/methods/awq.h"
#include "kerf/methods/smoothquant.h"

namespace kerf {
namespace {

using Rows = std::vector<std::vector<double>>;

/// Each row on its own grid of `levels` + 1 even steps between its extremes, zero being one of them.
Rows rounded_between_extremes(const Rows& w, double levels) {
  Rows out = w;
  for (std::vector<double>& row : out) {
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    const double zero = *low, step = (*high - *low) / levels;
    const double z = std::clamp(-std::nearbyint(zero / step), 0.0, levels);
    for (double& v : row) v = (std::clamp(std::nearbyint(v / step) + z, 0.0, levels) - z) * step;
  }
  return out;
}

/// Rows on symmetric grids of ±levels.
Rows rounded_symmetric(const Rows& w, double levels) {
  Rows out = w;
  for (std::vector<double>& row : out) {
    double largest = 0;
    for (const double v : row) largest = std::max(largest, std::fabs(v));
    for (double& v : row) v = std::nearbyint(v / largest * levels) * largest / levels;
  }
  return out;
}

/// x · wᵀ
Rows product(const Rows& x, const Rows& w) {
  Rows y;
  for (const auto& row : x) {
    y.emplace_back();
    for (const auto& column : w) {
      double sum = 0;
      for (std::size_t k = 0; k < row.size(); ++k) sum += row[k] * column[k];
      y.back().push_back(sum);
    }
  }
  return y;
}

double mean_square_difference(const Rows& a, const Rows& b) {
  double sum = 0, n = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a[i].size(); ++j, ++n) sum += (a[i][j] - b[i][j]) * (a[i][j] - b[i][j]);
  return sum / n;
}

TEST(Awq, SearchFindsTheStretchOfTheWorkedExample) {
  const Rows x = {{10, .5}, {8, -.4}, {-9, .6}}, w = {{.11, .7}, {-.06, -.55}};
  std::vector<double> losses;
  const auto factors = search_factors({9.0F, 0.5F}, [&](std::span<const float> s) -> Result<double> {
    Rows stretched = w;
    for (auto& row : stretched)
      for (std::size_t k = 0; k < 2; ++k) row[k] *= s[k];
    stretched = rounded_between_extremes(stretched, 7);
    for (auto& row : stretched)
      for (std::size_t k = 0; k < 2; ++k) row[k] /= s[k];
    losses.push_back(mean_square_difference(product(x, w), product(x, stretched)));
    return losses.back();
  });
  ASSERT_TRUE(factors);
  ASSERT_EQ(losses.size(), 20U);
  const double expected[] = {.030424, .048412, .010851, .018818, .020467, .010722, .013987};
  for (std::size_t i = 0; i < std::size(expected); ++i) EXPECT_NEAR(losses[i], expected[i], 1e-6) << i;
  EXPECT_NEAR((*factors)[0], 1.435189, 1e-6);
  EXPECT_NEAR((*factors)[1], .696772, 1e-6);
}

TEST(Awq, NothingIsWorseThanOnes) {
  const auto factors =
      search_factors({1.0F, 100.0F}, [](std::span<const float>) -> Result<double> { return 3.0; });
  ASSERT_TRUE(factors);
  EXPECT_EQ(*factors, (std::vector<float>{1, 1}));
  const auto failed = search_factors(
      {1.0F}, [](std::span<const float>) -> Result<double> { return fail(ErrorKind::io, "x", "y"); });
  EXPECT_FALSE(failed);
  for (const float dead : awq_factors(std::vector<float>{0, 0, 0}, 0.5)) EXPECT_EQ(dead, 1.0F);
}

TEST(SmoothQuant, BothMaximaMeetInTheMiddle) {
  const Rows x = {{1, -16, 2, 6}, {-2, 8, -1, -9}};
  const Rows w = {{2, 1, 2, -1}, {1, -1, -1, -1}, {-2, -1, -2, 1}};  // [out, in]
  const auto s = smoothing_factors(std::vector<float>{2, 16, 2, 9}, std::vector<float>{2, 1, 2, 1}, 0.5);
  EXPECT_EQ(s, (std::vector<float>{1, 4, 1, 3}));
  Rows xs = x, ws = w;
  for (std::size_t k = 0; k < 4; ++k) {
    for (auto& row : xs) row[k] /= s[k];
    for (auto& row : ws) row[k] *= s[k];
  }
  const auto loss = [&](const Rows& a, const Rows& b, double levels) {
    return mean_square_difference(product(x, w),
                                  product(rounded_symmetric(a, levels), rounded_symmetric(b, levels)));
  };
  EXPECT_NEAR(loss(x, w, 127), .0224639, 1e-6);
  EXPECT_NEAR(loss(xs, ws, 127), .0032679, 1e-6);
  EXPECT_NEAR(loss(x, w, 7), 11.0867, 1e-3);
  EXPECT_NEAR(loss(xs, ws, 7), 1.21526, 1e-4);
}

}  // namespace
}  // namespace kerf

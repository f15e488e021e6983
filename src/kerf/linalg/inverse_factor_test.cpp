#include "kerf/linalg/inverse_factor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

using Matrix = std::vector<double>;

/// Second moments of n_tokens normal vectors that are filtered to be correlated: [n, n].
Matrix second_moments(std::size_t n, std::size_t n_tokens, std::uint64_t seed) {
  Rng rng(seed);
  Matrix h(n * n, 0.0);
  std::vector<double> x(n);
  for (std::size_t t = 0; t < n_tokens; ++t) {
    for (std::size_t i = 0; i < n; ++i) x[i] = rng.normal() + (i == 0 ? 0.0 : 0.8 * x[i - 1]);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) h[i * n + j] += x[i] * x[j];
  }
  return h;
}

/// The largest element of Uᵀ·U·H − I.
double largest_error(const InverseFactor& factor, const Matrix& h, std::size_t n) {
  const auto u = [&](std::size_t i, std::size_t j) { return double{factor.transposed[j * n + i]}; };
  Matrix uh(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = i; k < n; ++k)
      for (std::size_t j = 0; j < n; ++j) uh[i * n + j] += u(i, k) * h[k * n + j];
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      double sum = i == j ? -1.0 : 0.0;
      for (std::size_t k = 0; k <= i; ++k) sum += u(k, i) * uh[k * n + j];
      largest = std::max(largest, std::fabs(sum));
    }
  return largest;
}

TEST(InverseFactor, IsThatOfAWorkedExample) {
  const Matrix h = {2, 1, .5, 1, 2, 1, .5, 1, 2};
  const auto factor = inverse_factor(h, 3, 0.0);
  ASSERT_TRUE(factor);
  const float expected[] = {.8164966F, 0, 0, -.4082483F, .8164966F, 0, 0, -.4082483F, .7071068F};
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(factor->transposed[i], expected[i], 1e-6) << i;
  EXPECT_EQ(factor->repair, Repair::none);
  EXPECT_EQ(factor->damping, 0.0);
}

// Σ e² with e = d·U⁻¹ is what differences cost.
TEST(InverseFactor, TurnsCostsIntoSumsOfSquares) {
  // H = 2·XᵀX/6 of six tokens, damped by 1 % of its mean diagonal.
  const Matrix x = {1, 2, 0, 1, 2, 3, 1, 0, 0, 1, 1, 2, 1, 1, 0, 1, 3, 4, 1, 1, 1, 2, 2, 0};
  Matrix h(16, 0.0);
  for (std::size_t t = 0; t < 6; ++t)
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) h[i * 4 + j] += x[t * 4 + i] * x[t * 4 + j] / 3;
  const auto factor = inverse_factor(h, 4, 0.01);
  ASSERT_TRUE(factor);
  EXPECT_NEAR(factor->transposed[0], 2.05031, 1e-5);
  double mean = 0;
  for (std::size_t i = 0; i < 4; ++i) mean += h[i * 5] / 4;
  const double d[] = {.25, -.5, 1, 2};
  double cost = 0;
  double squares = 0;
  double e[4];
  for (std::size_t j = 0; j < 4; ++j) {
    e[j] = d[j];
    for (std::size_t i = 0; i < 4; ++i) cost += d[i] * (h[i * 4 + j] + (i == j ? .01 * mean : 0)) * d[j];
    for (std::size_t i = 0; i < j; ++i) e[j] -= e[i] * factor->transposed[j * 4 + i];
    e[j] /= factor->transposed[j * 5];
    squares += e[j] * e[j];
  }
  EXPECT_NEAR(squares, cost, 1e-5 * cost);
}

TEST(BlockInverses, AreWhatABlockCostsWithTheRestOpen) {
  constexpr std::size_t kN = 19;
  const Matrix h = second_moments(kN, 50, 6);
  const auto factor = inverse_factor(h, kN, 0.0);
  ASSERT_TRUE(factor);
  // All in one block: nothing is open.
  const std::vector<float> whole = block_inverses(factor->transposed, kN, kN);
  for (std::size_t i = 0; i < kN * kN; ++i) EXPECT_NEAR(whole[i], h[i], 1e-4 * std::fabs(h[i]) + 1e-3) << i;
  // One by one: 1 / U_jj², and so for the block of one at the end of others.
  const std::vector<float> blocks = block_inverses(factor->transposed, kN, 6);
  const float last = factor->transposed.back();
  EXPECT_NEAR(blocks[(kN - 1) * 6], 1 / (last * last), 1e-3 / (last * last));
  // The first block by its Schur complement: (H⁻¹ of the block)⁻¹, so M · H⁻¹ = I there.
  const auto inverse = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k <= std::min(i, j); ++k)
      sum += double{factor->transposed[i * kN + k]} * factor->transposed[j * kN + k];
    return sum;
  };
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 6; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < 6; ++k) sum += double{blocks[i * 6 + k]} * inverse(k, j);
      EXPECT_NEAR(sum, i == j ? 1.0 : 0.0, 1e-4);
    }
}

TEST(InverseFactor, InvertsAndIgnoresUnitsOfH) {
  constexpr std::size_t kN = 67;
  Matrix h = second_moments(kN, 200, 1);
  const auto factor = inverse_factor(h, kN, 0.0);
  ASSERT_TRUE(factor);
  EXPECT_LT(largest_error(*factor, h, kN), 1e-4);
  for (double& x : h) x *= 0x1p-40;
  const auto small = inverse_factor(h, kN, 0.0);
  ASSERT_TRUE(small);
  for (std::size_t i = 0; i < kN * kN; ++i) EXPECT_EQ(small->transposed[i], factor->transposed[i] * 0x1p20F);
  const std::vector<float> rounded(h.begin(), h.end());
  ASSERT_TRUE(inverse_factor(rounded, kN, 0.0));
}

TEST(InverseFactor, DampsByPartsOfTheMeanDiagonal) {
  constexpr std::size_t kN = 20;
  Matrix h = second_moments(kN, 6, 2);  // six tokens: singular
  const auto factor = inverse_factor(h, kN, 0.05);
  ASSERT_TRUE(factor);
  EXPECT_EQ(factor->damping, 0.05);
  EXPECT_EQ(factor->repair, Repair::none);
  double mean = 0;
  for (std::size_t i = 0; i < kN; ++i) mean += h[i * kN + i] / kN;
  for (std::size_t i = 0; i < kN; ++i) h[i * kN + i] += 0.05 * mean;
  EXPECT_LT(largest_error(*factor, h, kN), 1e-4);
}

TEST(InverseFactor, SaysHowASingularOrIndefiniteMatrixWasRepaired) {
  constexpr std::size_t kN = 20;
  const Matrix singular = second_moments(kN, 6, 3);
  const auto damped = inverse_factor(singular, kN, 0.0);
  ASSERT_TRUE(damped);
  EXPECT_EQ(damped->repair, Repair::damped);
  EXPECT_EQ(damped->damping, 0.01);

  const Matrix indefinite = {1, 100, 100, 4};
  const auto diagonal = inverse_factor(indefinite, 2, 0.01);
  ASSERT_TRUE(diagonal);
  EXPECT_EQ(diagonal->repair, Repair::diagonal);
  EXPECT_EQ(diagonal->damping, 0.01);
  EXPECT_NEAR(diagonal->transposed[0], 1 / std::sqrt(1.025), 1e-6);
  EXPECT_EQ(diagonal->transposed[2], 0.0F);
  EXPECT_NEAR(diagonal->transposed[3], 1 / std::sqrt(4.025), 1e-6);
}

TEST(InverseFactor, DeadColumnsStandAlone) {
  Matrix h = {2, 0, 1, 0, 0, 0, 1, 0, 4};
  for (const double dead : {0.0, -1e-9}) {
    h[4] = dead;
    h[1] = h[3] = dead;
    const auto factor = inverse_factor(h, 3, 0.0);
    ASSERT_TRUE(factor);
    EXPECT_EQ(factor->n_dead, 1U);
    EXPECT_LT(largest_error(*factor, {2, 0, 1, 0, 3, 0, 1, 0, 4}, 3), 1e-6);  // 3: the mean of the others
  }
  const auto nothing = inverse_factor(Matrix(9, 0.0), 3, 0.0);
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->n_dead, 3U);
  EXPECT_EQ(nothing->transposed, (std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 1}));
}

TEST(InverseFactor, RefusesWhatIsNotFinite) {
  Matrix h = second_moments(5, 10, 4);
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    h[3 * 5 + 1] = bad;
    const auto factor = inverse_factor(h, 5, 0.01);
    ASSERT_FALSE(factor);
    EXPECT_EQ(factor.error().kind, ErrorKind::numeric);
    EXPECT_NE(factor.error().what.find("columns 3 and 1"), std::string::npos) << factor.error().what;
  }
}

TEST(InverseFactor, IsTheSameFromSeveralThreadsAtOnce) {
  constexpr std::size_t kN = 300;
  const Matrix h = second_moments(kN, 400, 5);
  const auto expected = inverse_factor(h, kN, 0.01);
  ASSERT_TRUE(expected);
  int n_equal[4] = {};
  std::vector<std::thread> threads;
  for (int& count : n_equal)
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round)
        count += inverse_factor(h, kN, 0.01)->transposed == expected->transposed ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  for (const int count : n_equal) EXPECT_EQ(count, 10);
}

}  // namespace
}  // namespace kerf

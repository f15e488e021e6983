#include "kerf/linalg/rotation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

class RotationOf : public testing::TestWithParam<std::size_t> {};

TEST_P(RotationOf, IsOrthogonal) {
  const std::size_t n = GetParam();
  const Rotation rotation(n, 7);
  std::vector<double> q(n * n);  // rows: unit vectors turned
  for (std::size_t i = 0; i < n; ++i) {
    q[i * n + i] = 1;
    rotation.apply(q.data() + i * n);
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double dot = 0;
      for (std::size_t k = 0; k < n; ++k) dot += q[i * n + k] * q[j * n + k];
      EXPECT_NEAR(dot, i == j ? 1 : 0, 1e-12) << i << ", " << j;
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RotationOf, testing::Values(1, 2, 3, 16, 24, 64, 45, 576));

TEST(Rotation, SpreadsOneLargeNumberOverAll) {
  const Rotation rotation(576, 1);
  std::vector<double> x(576);
  x[100] = 24;
  rotation.apply(x.data());
  for (const double value : x) EXPECT_LT(std::fabs(value), 4.5);  // 24/√576 = 1 if it were even
}

TEST(Rotation, DependsOnTheSeed) {
  std::vector<double> a(48, 1.0), b(48, 1.0), c(48, 1.0);
  Rotation(48, 1).apply(a.data());
  Rotation(48, 1).apply(b.data());
  Rotation(48, 2).apply(c.data());
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace kerf

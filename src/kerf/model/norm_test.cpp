#include "kerf/model/norm.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kerf {
namespace {

TEST(Norm, RmsDividesByTheRootMeanSquare) {
  ThreadPool pool(1);
  const Norm norm{.kind = NormKind::rms, .epsilon = 0.5F, .weight = {1.0F, 2.0F}, .bias = {}};
  std::vector<float> x = {3.0F, 4.0F, 0.0F, 0.0F};
  normalize_rows(norm, x.data(), 2, x.data(), pool);
  const float scale = 1.0F / std::sqrt(12.5F + 0.5F);
  EXPECT_FLOAT_EQ(x[0], 3.0F * scale);
  EXPECT_FLOAT_EQ(x[1], 8.0F * scale);
  EXPECT_EQ(x[2], 0.0F);
}

TEST(Norm, LayerAlsoTakesOffTheMean) {
  ThreadPool pool(1);
  const Norm norm{.kind = NormKind::layer, .epsilon = 0.0F, .weight = {1, 2, 3, 4}, .bias = {0, 1, 0, 0}};
  const std::vector<float> x = {1001.0F, 1001.0F, 1003.0F, 1003.0F};
  std::vector<float> y(4);
  normalize_rows(norm, x.data(), 1, y.data(), pool);
  EXPECT_EQ(y, (std::vector<float>{-1, -1, 3, 4}));
}

TEST(Norm, HeadsAreNormalisedOneByOne) {
  ThreadPool pool(1);
  const Norm norm{.kind = NormKind::rms, .epsilon = 0.0F, .weight = {1.0F, 1.0F}, .bias = {}};
  std::vector<float> x = {3, 3, 5, 5, 7, 2, 2, -4, -4, 7};  // rows of 5, two heads of 2
  normalize_heads(norm, x.data(), 2, 2, 5, pool);
  EXPECT_EQ(x, (std::vector<float>{1, 1, 1, 1, 7, 1, 1, -1, -1, 7}));
}

}  // namespace
}  // namespace kerf

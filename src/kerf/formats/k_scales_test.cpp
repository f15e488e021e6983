#include "kerf/formats/k_scales.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kerf/base/rng.h"

namespace kerf::formats {
namespace {

double squared_error(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return sum;
}

std::vector<float> fitted(std::vector<float> values, int lowest, int highest) {
  fit_super_scale(values, lowest, highest);
  return values;
}

/// The rule that needs no search: the largest magnitude gets the end of the range that is farther from zero.
std::vector<float> rounded_by_the_largest(std::vector<float> values, int lowest, int highest) {
  const float largest = *std::max_element(values.begin(), values.end(),
                                          [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  const float factor = round_to_f16(largest / static_cast<float>(lowest < 0 ? lowest : highest));
  for (float& value : values)
    value = factor * std::nearbyint(
                         std::clamp(value / factor, static_cast<float>(lowest), static_cast<float>(highest)));
  return values;
}

struct Range {
  int lowest, highest;
  std::size_t n_groups;
  double wanted;  ///< error left by the search, as a part of the error of the rule above
};

TEST(SuperScale, SearchBeatsRoundingByTheLargest) {
  // Q2_K, Q4_K, Q3_K, IQ4_XS, Q6_K
  for (const Range& range : {Range{0, 15, 16, 0.85}, Range{0, 63, 8, 0.5}, Range{-32, 31, 16, 0.75},
                             Range{-32, 31, 8, 0.55}, Range{-128, 127, 16, 0.65}}) {
    Rng rng(11);
    double error = 0;
    double simple_error = 0;
    for (int trial = 0; trial < 500; ++trial) {
      std::vector<float> values(range.n_groups);
      for (float& value : values) value = static_cast<float>(0.01 * std::exp2(rng.normal() / 2));
      const double own = squared_error(values, fitted(values, range.lowest, range.highest));
      const double simple =
          squared_error(values, rounded_by_the_largest(values, range.lowest, range.highest));
      EXPECT_LE(own, simple * 1.0001) << "trial " << trial;
      error += own;
      simple_error += simple;
    }
    EXPECT_LT(error, range.wanted * simple_error)
        << range.lowest << " … " << range.highest << ": " << error / simple_error;
  }
}

TEST(SuperScale, RecoversWhatItCanHold) {
  for (const float factor : {0.001F, -0.25F}) {
    const float exact = round_to_f16(factor);
    std::vector<float> values;
    for (const int code : {-32, 31, 7, 0, -1}) values.push_back(exact * static_cast<float>(code));
    EXPECT_EQ(fitted(values, -32, 31), values);
  }
}

TEST(SuperScale, NegativeValuesBecomeZeroWhereTheRangeHasNone) {
  const auto values = fitted({-5.0F, 1.0F, 0.5F}, 0, 63);
  EXPECT_EQ(values[0], 0.0F);
  EXPECT_NEAR(values[1], 1.0F, 0.01F);
  EXPECT_NEAR(values[2], 0.5F, 0.01F);
}

TEST(SuperScale, SaturatesWhereBinary16Ends) {
  EXPECT_EQ(fitted({1e10F, 1e30F}, 0, 63), (std::vector<float>{63 * 65504.0F, 63 * 65504.0F}));
  EXPECT_EQ(fitted({-1e30F, 1e30F}, -32, 31), (std::vector<float>{-32 * 65504.0F, 31 * 65504.0F}));
}

TEST(SuperScale, SmallCodesReachFurtherDown) {
  // 1e-6 / 63 rounds to no binary16 above 0, whose smallest is 6e-8; 1e-6 / 17 does.
  EXPECT_NEAR(fitted({1e-6F, 5e-7F}, 0, 63)[0], 1e-6F, 4e-8F);
  EXPECT_NEAR(fitted({-1e-6F, 5e-7F}, -32, 31)[0], -1e-6F, 4e-8F);
  EXPECT_EQ(fitted({1e-12F, 1e-13F}, 0, 63), (std::vector<float>{0.0F, 0.0F}));
  EXPECT_EQ(fitted({0.0F, 0.0F}, -32, 31), (std::vector<float>{0.0F, 0.0F}));
}

TEST(SuperScale, LeastSquaresFindsTheStepThatTheExtremeHides) {
  // No code but 31 for the first makes the others exact, and 31 is not tried for it.
  const float factor = 0x1p-6F;
  EXPECT_EQ(fitted({31 * factor, factor, 3 * factor}, -32, 31),
            (std::vector<float>{31 * factor, factor, 3 * factor}));
}

}  // namespace
}  // namespace kerf::formats

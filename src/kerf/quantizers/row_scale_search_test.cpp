// Formats with a scale per row: any magnitude, any length, and never worse than the scale that clips nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

std::vector<const Format*> row_scaled_formats() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats())
    if (format->row_scale != nullptr && format->writable()) list.push_back(format);
  return list;
}

std::vector<float> normal_numbers(std::size_t n, float size, std::uint64_t seed = 5) {
  Rng rng(seed);
  std::vector<float> x(n);
  for (float& v : x) v = size * static_cast<float>(rng.normal());
  return x;
}

std::vector<float> there_and_back(const Format& format, const std::vector<float>& x,
                                  const QuantizeOptions& options = {}) {
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  std::vector<float> back(x.size());
  quantize_row(format, x.data(), nullptr, bytes.data(), x.size(), options);
  EXPECT_TRUE(format.header_defect == nullptr || format.header_defect(bytes.data()) == nullptr);
  format.decode(bytes.data(), back.data(), x.size());
  return back;
}

double relative_error(const std::vector<float>& x, const std::vector<float>& y) {
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(x[i]) - y[i], 2);
    power += std::pow(static_cast<double>(x[i]), 2);
  }
  return error / power;
}

class RowScaled : public testing::TestWithParam<const Format*> {};

TEST_P(RowScaled, ErrorDoesNotDependOnMagnitude) {
  const double at_one =
      relative_error(normal_numbers(320, 1), there_and_back(*GetParam(), normal_numbers(320, 1)));
  for (const float size : {0x1p-40F, 0x1p-12F, 0x1p30F}) {
    const auto x = normal_numbers(320, size);
    EXPECT_NEAR(relative_error(x, there_and_back(*GetParam(), x)), at_one, 1e-3 * at_one) << size;
  }
}

TEST_P(RowScaled, RowsOfAnyLength) {
  const double usual =
      relative_error(normal_numbers(640, 1), there_and_back(*GetParam(), normal_numbers(640, 1)));
  for (const std::size_t n : {1, 2, 15, 16, 17, 63, 65, 576, 1152, 2880}) {
    const auto x = normal_numbers(n, 1);
    // Where the row scale is the only one, the largest of many numbers is what it has to reach.
    const double longer = GetParam()->row_scale->inner->encode_plain != nullptr ? 2 : 1.3;
    EXPECT_LE(relative_error(x, there_and_back(*GetParam(), x)), (n < 64 ? 4 : longer) * usual) << n;
  }
}

/// Numbers that a row can hold are found again: the second time changes nothing.
TEST_P(RowScaled, FindsItsOwnGridAgain) {
  for (const std::size_t n : {640, 777})
    for (int effort = 0; effort <= 3; ++effort) {
      const auto once = there_and_back(*GetParam(), normal_numbers(n, 1), {effort});
      EXPECT_EQ(there_and_back(*GetParam(), once, {effort}), once) << n << ", effort " << effort;
    }
}

TEST_P(RowScaled, ZerosAndTinyRows) {
  for (const float v : there_and_back(*GetParam(), std::vector<float>(70, 0.0F))) EXPECT_EQ(v, 0.0F);
  for (const float size : {1e-44F, 1e-38F})
    for (const float v : there_and_back(*GetParam(), normal_numbers(70, size)))
      EXPECT_LE(std::fabs(v), 8 * size + 1e-44F);
}

// A range of almost twice the largest binary32 must not become a scale of infinity.
TEST_P(RowScaled, HugeRowsStayFinite) {
  std::vector<float> x = normal_numbers(70, 1);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (i % 2 == 0 ? 1.0F : -1.0F) * 0x1.fp127F;
  for (const float v : there_and_back(*GetParam(), x)) EXPECT_TRUE(std::isfinite(v));
}

// On average, and within a hundredth: a row may have its best grid among starts that are rounded worse.
TEST_P(RowScaled, MoreEffortIsNotWorse) {
  double last = INFINITY;
  for (int effort = 0; effort <= 3; ++effort) {
    double error = 0;
    for (std::uint64_t row = 0; row < 12; ++row) {
      const auto x = normal_numbers(576, 1, 100 + row);
      error += relative_error(x, there_and_back(*GetParam(), x, {effort}));
    }
    EXPECT_LE(error, 1.01 * last) << effort;
    last = error;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, RowScaled, testing::ValuesIn(row_scaled_formats()), [](const auto& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

}  // namespace
}  // namespace kerf

// Blocks of floating-point elements: scales by the rule of MX or better, by importance where it is given.
#include "kerf/quantizers/float_search.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

std::vector<const Format*> float_formats() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats())
    if (format->floats != nullptr) list.push_back(format);
  return list;
}

std::vector<float> normal_numbers(std::size_t n) {
  Rng rng(31);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

double error_of(const Format& format, const std::vector<float>& x, const std::vector<float>* importance,
                const std::vector<float>& weight, int effort = 1) {
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()), 0xEE);
  std::vector<float> back(x.size());
  quantize_row(format, x.data(), importance == nullptr ? nullptr : importance->data(), bytes.data(), x.size(),
               {effort});
  format.decode(bytes.data(), back.data(), x.size());
  double error = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    error += weight[i] * std::pow(static_cast<double>(x[i]) - back[i], 2);
  return error / static_cast<double>(x.size());
}

class FloatFormat : public testing::TestWithParam<const Format*> {};

TEST_P(FloatFormat, ErrorOnNormalNumbers) {
  const auto x = normal_numbers(4096);
  const std::vector<float> ones(x.size(), 1.0F);
  const double error = error_of(*GetParam(), x, nullptr, ones);
  EXPECT_GT(error, std::exp2(-2 * GetParam()->bits_per_weight()));
  // Uniform in each of the 2^m steps of a binade: a twelfth of the square of a step of 2^-m, 1.5² on average.
  EXPECT_LT(error, std::exp2(-2 * GetParam()->floats->mantissa_bits) / 12 / 1.5);
}

TEST_P(FloatFormat, ImportanceCounts) {
  const auto x = normal_numbers(4096);
  std::vector<float> importance(x.size());
  Rng rng(32);
  for (float& w : importance) w = static_cast<float>(std::exp(1.5 * rng.normal()));
  const double with = error_of(*GetParam(), x, &importance, importance);
  const double without = error_of(*GetParam(), x, nullptr, importance);
  // Two powers of two leave little to choose from, often nothing.
  EXPECT_LE(with, (GetParam()->floats->power_of_two ? 1.0 : 0.97) * without);
  const std::vector<float> zeros(x.size(), 0.0F);
  EXPECT_EQ(error_of(*GetParam(), x, &zeros, importance), without);
}

TEST_P(FloatFormat, MoreEffortIsNeverWorse) {
  const auto x = normal_numbers(4096);
  const std::vector<float> ones(x.size(), 1.0F);
  for (int effort = 1; effort < 3; ++effort)
    EXPECT_LE(error_of(*GetParam(), x, nullptr, ones, effort + 1),
              error_of(*GetParam(), x, nullptr, ones, effort));
}

INSTANTIATE_TEST_SUITE_P(Every, FloatFormat, testing::ValuesIn(float_formats()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Mxfp8, ScalesByTheRuleOfTheStandardOrOneAbove) {
  const Format& format = *find_format("MXFP8_E4M3");
  std::array<float, 32> x{};
  std::array<std::uint8_t, 33> block{};
  x[0] = 1.0F;  // floor(log2 1) − 8
  quantize_row(format, x.data(), nullptr, block.data(), x.size());
  EXPECT_EQ(block[0], 127 - 8);
  x[0] = 500.0F;  // by the rule 2^0, where 500 saturates to 448; at 2^1 it is 250 → 256 · 2
  quantize_row(format, x.data(), nullptr, block.data(), x.size());
  EXPECT_EQ(block[0], 128);
}

}  // namespace
}  // namespace kerf

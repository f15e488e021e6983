// Levels of their own per row or group: optimal ones, and with them at most the error of any fixed table.
#include "kerf/quantizers/codebook_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/formats/codebook.h"

namespace kerf {
namespace {

std::vector<const Format*> codebook_formats() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats())
    if (format->codebook != nullptr) list.push_back(format);
  return list;
}

std::vector<float> normal_numbers(std::size_t n) {
  Rng rng(21);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

double error_of(const Format& format, const std::vector<float>& x, const float* importance = nullptr,
                const std::vector<float>* measured_with = nullptr) {
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()), 0xEE);
  std::vector<float> back(x.size());
  quantize_row(format, x.data(), importance, bytes.data(), x.size());
  format.decode(bytes.data(), back.data(), x.size());
  double error = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    error += std::pow(static_cast<double>(x[i]) - back[i], 2) *
             (measured_with == nullptr ? 1.0 : static_cast<double>((*measured_with)[i]));
  return error / static_cast<double>(x.size());
}

class CodebookFormat : public testing::TestWithParam<const Format*> {};

// Lloyd-Max on N(0,1): .1174818, .0345478, .0095010 for 4, 8, 16 levels; levels that follow the row do
// better.
TEST_P(CodebookFormat, IsBelowTheBestFixedTableAndAboveTheBound) {
  const Format& format = *GetParam();
  const double error = error_of(format, normal_numbers(2560));
  const std::size_t n_levels = format.codebook->n_levels;
  EXPECT_LT(error, n_levels == 4 ? .1174818 : n_levels == 8 ? .0345478 : .0095010);
  EXPECT_GT(error, std::exp2(-2 * format.bits_per_weight(2560)));
}

TEST_P(CodebookFormat, ImportanceCounts) {
  const auto x = normal_numbers(512);
  std::vector<float> importance(x.size());
  Rng rng(22);
  for (float& w : importance) w = static_cast<float>(std::exp(1.5 * rng.normal()));
  EXPECT_LT(error_of(*GetParam(), x, importance.data(), &importance),
            0.95 * error_of(*GetParam(), x, nullptr, &importance));
}

TEST_P(CodebookFormat, KeepsWhatItCanHold) {
  const Format& format = *GetParam();
  // As many different numbers as there are levels, exact in binary16 and bfloat16; rows that end anywhere.
  for (const std::size_t n : {1, 5, 31, 255, 256, 300, 576}) {
    std::vector<float> x(n);
    Rng rng(n);
    for (float& v : x) v = 0.25F * static_cast<float>(rng.below(format.codebook->n_levels)) - 1.0F;
    EXPECT_EQ(error_of(format, x), 0.0) << n;
  }
  EXPECT_EQ(error_of(format, std::vector<float>(70, 0.0F)), 0.0);
}

TEST_P(CodebookFormat, QuantizingWhatCameBackGivesTheSameBytes) {
  const Format& format = *GetParam();
  const auto x = normal_numbers(700);
  std::vector<std::uint8_t> once(format.row_bytes(x.size()));
  std::vector<std::uint8_t> twice(once.size());
  std::vector<float> back(x.size());
  quantize_row(format, x.data(), nullptr, once.data(), x.size());
  format.decode(once.data(), back.data(), x.size());
  quantize_row(format, back.data(), nullptr, twice.data(), x.size());
  EXPECT_EQ(once, twice);
}

TEST_P(CodebookFormat, ExtremesStayFinite) {
  for (const float size : {1e-45F, 1e-30F, 1e10F, 1e38F}) {
    auto x = normal_numbers(300);
    for (float& v : x) v *= size / 5;
    EXPECT_TRUE(std::isfinite(error_of(*GetParam(), x))) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, CodebookFormat, testing::ValuesIn(codebook_formats()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace kerf

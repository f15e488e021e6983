#include "kerf/quantizers/hqq.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

constexpr std::array<float, 8> kWorked = {.1F, -.3F, .05F, .9F, -.9F, .45F, -.02F, 0};

TEST(Hqq, ShrinksAsPublished) {
  EXPECT_NEAR(hqq_shrink(.2, .7, 10), .0379343, 1e-7);
  EXPECT_NEAR(hqq_shrink(-.5, .7, 10), -.3768856, 1e-7);
  EXPECT_EQ(hqq_shrink(.01, .7, 10), 0);
  EXPECT_EQ(hqq_shrink(0, .7, 10), 0);
}

// The first step would move the zero point to 1.5334659 and leave .1525: it is not taken.
TEST(Hqq, KeepsTheBetterZeroPointOfAWorkedExample) {
  const HqqGrid grid = hqq_grid(kWorked, 4);
  EXPECT_NEAR(grid.scale, .6, 1e-7);
  EXPECT_NEAR(-grid.offset / grid.scale, 1.5, 1e-6);
  EXPECT_NEAR(grid.mean_error, .1475, 1e-6);
  const int expected[] = {2, 1, 2, 3, 0, 2, 1, 2};
  for (std::size_t i = 0; i < kWorked.size(); ++i)
    EXPECT_EQ(std::lround(std::nearbyint((kWorked[i] - grid.offset) / grid.scale)), expected[i]) << i;
}

TEST(Hqq, LowersTheMeanErrorOfNormalNumbers) {
  Rng rng(1);
  double before = 0;
  double after = 0;
  for (int group = 0; group < 400; ++group) {
    std::array<float, 64> w;
    for (float& x : w) x = static_cast<float>(rng.normal());
    before += hqq_grid(w, 4, {.max_steps = 0}).mean_error / 400;
    after += hqq_grid(w, 4).mean_error / 400;
  }
  EXPECT_NEAR(before, .3811, .01);
  EXPECT_LT(after, .967 * before);
}

TEST(Hqq, TakesNumbersThatAreAllTheSame) {
  const std::vector<float> w(16, 3.25F);
  const HqqGrid grid = hqq_grid(w, 16);
  EXPECT_EQ(grid.scale * 7 + grid.offset, 3.25);
}

TEST(Hqq, IsForFormatsWithAFreeOffset) {
  for (const char* name : {"Q4_1", "Q5_1", "UINT2_G32_F16Z", "UINT4_G64_F16Z"})
    EXPECT_TRUE(takes_hqq(*find_format(name))) << name;
  for (const char* name : {"Q4_0", "Q4_K", "UINT4_G64", "IQ4_NL", "F16", "K2", "CB16_ROW"})
    EXPECT_FALSE(takes_hqq(*find_format(name))) << name;
}

class HqqOn : public testing::TestWithParam<const Format*> {};

TEST_P(HqqOn, RoundsRowsOfAnyLengthThatFits) {
  const Format& format = *GetParam();
  Rng rng(2);
  for (const std::size_t n : {std::size_t{512}, std::size_t{301}}) {
    if (!format.fits(n)) continue;
    std::vector<float> x(n);
    for (float& value : x) value = static_cast<float>(1 + rng.normal());
    std::vector<std::uint8_t> bytes(format.row_bytes(n));
    quantize_row_hqq(format, x.data(), bytes.data(), n);
    std::vector<float> back(n);
    format.decode(bytes.data(), back.data(), n);
    quantize_row(format, x.data(), nullptr, bytes.data(), n);
    std::vector<float> searched(n);
    format.decode(bytes.data(), searched.data(), n);
    double error = 0;
    double least = 0;
    for (std::size_t i = 0; i < n; ++i) {
      error += std::pow(x[i] - back[i], 2);
      least += std::pow(x[i] - searched[i], 2);
    }
    // A search for the least squared error leaves less, but not by much; of two levels, at the ends of the
    // range, by much.
    EXPECT_GT(error, .95 * least) << n;
    EXPECT_LT(error, (format.grid->levels.size() == 2 ? 12.0 : 2.0) * least) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HqqOn, testing::ValuesIn([] {
                           std::vector<const Format*> formats;
                           for (const Format* format : all_formats())
                             if (takes_hqq(*format)) formats.push_back(format);
                           return formats;
                         }()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace kerf

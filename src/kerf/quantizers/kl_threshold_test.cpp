// Divergences worked with NumPy.
#include "kerf/quantizers/kl_threshold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kerf {
namespace {

TEST(KlThreshold, SixteenBins) {
  const std::vector<std::uint64_t> counts{40, 30, 20, 12, 8, 5, 3, 2, 1, 1, 0, 0, 0, 0, 0, 1};
  const double expected[] = {.084194, .058893, .042838, .039178, .024815, .038144, .039614,
                             .110753, .110752, .151351, .151350, .158349, .091634};
  for (std::size_t i = 4; i <= 16; ++i) EXPECT_NEAR(kl_divergence(counts, 4, i), expected[i - 4], 5e-7) << i;
  EXPECT_EQ(kl_best_bins(counts, 4), 8U);
}

TEST(KlThreshold, HalfANormalDistribution) {
  std::vector<std::uint64_t> counts(2048);
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const double z = static_cast<double>(k) / 200;
    counts[k] = static_cast<std::uint64_t>(1e6 * std::exp(-0.5 * z * z));
  }
  counts[2047] += 50;
  EXPECT_EQ(kl_best_bins(counts, 128), 953U);
  EXPECT_NEAR(kl_divergence(counts, 128, 953), 6.21476e-5, 5e-11);
  EXPECT_NEAR(kl_divergence(counts, 128, 512), .0345963, 5e-8);
  EXPECT_NEAR(kl_divergence(counts, 128, 2048), 2.65032e-4, 5e-10);
}

TEST(KlThreshold, NothingToChooseFrom) {
  EXPECT_FALSE(kl_best_bins(std::vector<std::uint64_t>(16, 0), 4));
  EXPECT_FALSE(kl_best_bins(std::vector<std::uint64_t>(3, 5), 4));
}

}  // namespace
}  // namespace kerf

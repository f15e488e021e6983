// Every entry of every codebook; random blocks reach only a part of them.
#include "kerf/formats/iq_grids.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

namespace kerf::formats {
namespace {

std::map<std::string, std::uint64_t> golden_hashes() {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/formats_grids.txt");
  std::map<std::string, std::uint64_t> hashes;
  std::string name;
  std::uint64_t hash = 0;
  while (in >> name >> hash) hashes[name] = hash;
  return hashes;
}

template <class Grid>
std::uint64_t fnv1a(const Grid& grid) {
  std::uint64_t state = 0xCBF29CE484222325ULL;
  for (const auto& vector : grid)
    for (const std::int8_t number : vector)
      state = (state ^ static_cast<std::uint8_t>(number)) * 0x100000001B3ULL;
  return state;
}

TEST(IqGrids, HaveTheVectorsOfOtherPrograms) {
  auto golden = golden_hashes();
  ASSERT_EQ(golden.size(), 6U);
  EXPECT_EQ(fnv1a(kIq2XxsGrid), golden["IQ2_XXS"]);
  EXPECT_EQ(fnv1a(kIq2XsGrid), golden["IQ2_XS"]);
  EXPECT_EQ(fnv1a(kIq2SGrid), golden["IQ2_S"]);
  EXPECT_EQ(fnv1a(kIq1Grid), golden["IQ1_S"]);
  EXPECT_EQ(fnv1a(kIq3XxsGrid), golden["IQ3_XXS"]);
  EXPECT_EQ(fnv1a(kIq3SGrid), golden["IQ3_S"]);
}

TEST(IqGrids, EvenSignsAreEven) {
  for (unsigned bits = 0; bits < 128; ++bits) {
    EXPECT_EQ(even_signs(bits) & 127U, bits);
    EXPECT_EQ(std::popcount(even_signs(bits)) % 2, 0) << bits;
  }
}

}  // namespace
}  // namespace kerf::formats

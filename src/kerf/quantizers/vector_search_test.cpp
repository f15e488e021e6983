// Holds quantize_row() to its contract for formats with a VectorGrid, and the search for points to an
// exhaustive one.
#include "kerf/quantizers/vector_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/quantizers/cell_search.h"

namespace kerf {
namespace {

using Row = std::vector<float>;
using Signs = VectorGrid::Signs;
constexpr std::size_t kRow = 2560;

std::vector<std::uint8_t> bytes_of(const Format& format, const Row& x, const float* importance = nullptr,
                                   int effort = 1) {
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  quantize_row(format, x.data(), importance, bytes.data(), x.size(), {effort});
  return bytes;
}

Row decoded(const Format& format, const std::vector<std::uint8_t>& bytes, std::size_t n) {
  Row row(n);
  format.decode(bytes.data(), row.data(), n);
  return row;
}

Row quantized(const Format& format, const Row& x, const float* importance = nullptr, int effort = 1) {
  return decoded(format, bytes_of(format, x, importance, effort), x.size());
}

double squared_error(const Row& a, const Row& b, const Row* weights = nullptr) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += e * e * (weights == nullptr ? 1.0 : static_cast<double>((*weights)[i]));
  }
  return sum;
}

Row normal_row(std::uint64_t seed, std::size_t n = kRow) {
  Rng rng(seed);
  Row row(n);
  for (float& x : row) x = static_cast<float>(rng.normal());
  return row;
}

/// Numbers made without the mathematical library, so that they are the same everywhere.
Row exact_row(std::uint64_t seed) {
  Rng rng(seed);
  Row row(kRow);
  for (float& x : row)
    x = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() - 2.0) * 0.125F;
  return row;
}

std::uint64_t fnv1a(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t state = 0xCBF29CE484222325ULL;
  for (const std::uint8_t byte : bytes) state = (state ^ byte) * 0x100000001B3ULL;
  return state;
}

class VectorFormat : public testing::TestWithParam<const Format*> {};

// The distortion-rate bound of N(0,1) is 2^(−2R); the best grid of 4 or 8 levels leaves 1.9 and 2.4 times
// that. Points of E8 leave 1.44 to 1.73 times of it, those of GGUF, which are made for tails, 1.7 to 2.18.
TEST_P(VectorFormat, ErrorOnNormalNumbersIsNearTheBound) {
  const Format& format = *GetParam();
  const Row x = normal_row(1, 16 * kRow);
  const double mse = squared_error(x, quantized(format, x)) / static_cast<double>(x.size());
  const double bound = std::exp2(-2 * format.bits_per_weight());
  EXPECT_GT(mse, bound);
  EXPECT_LT(mse, (format.in_gguf() ? 2.2 : 1.75) * bound);
}

TEST_P(VectorFormat, MoreEffortLeavesLessError) {
  const Row x = normal_row(2);
  double last = std::numeric_limits<double>::infinity();
  for (int effort = 0; effort <= 3; ++effort) {
    const double error = squared_error(x, quantized(*GetParam(), x, nullptr, effort));
    EXPECT_LE(error, last) << effort;
    last = error;
  }
}

/// The second time changes nothing.
TEST_P(VectorFormat, FindsItsOwnNumbersAgain) {
  for (int effort = 0; effort <= 3; ++effort) {
    const Row once = quantized(*GetParam(), normal_row(3), nullptr, effort);
    EXPECT_EQ(quantized(*GetParam(), once, nullptr, effort), once) << effort;
  }
}

TEST_P(VectorFormat, ImportanceCounts) {
  const Format& format = *GetParam();
  const Row x = normal_row(4);
  Row importance(x.size());
  Rng rng(5);
  for (float& w : importance) w = static_cast<float>(std::exp(1.5 * rng.normal()));
  const Row plain = quantized(format, x);
  const Row weighted = quantized(format, x, importance.data());
  EXPECT_LT(squared_error(x, weighted, &importance), 0.9 * squared_error(x, plain, &importance));
  std::fill(importance.begin(), importance.end(), 0.0F);
  EXPECT_EQ(quantized(format, x, importance.data()), plain);
}

TEST_P(VectorFormat, SurvivesExtremes) {
  const Format& format = *GetParam();
  const float kMax = std::numeric_limits<float>::max();
  const Row shape = normal_row(6);
  for (const float size :
       {0.0F, 1e-45F, 1e-39F, 1e-30F, 1e-8F, 1e-6F, 1e-4F, 1e4F, 1e6F, 1e10F, 1e30F, kMax / 8}) {
    Row x = shape;
    for (float& v : x) v *= size;
    const auto bytes = bytes_of(format, x);
    if (format.header_defect != nullptr) {
      EXPECT_EQ(format.header_defect(bytes.data()), nullptr) << size;
    }
    for (std::size_t b = format.header_bytes; format.defect != nullptr && b < bytes.size();
         b += format.block_bytes)
      EXPECT_EQ(format.defect(&bytes[b]), nullptr) << size;
    const Row y = decoded(format, bytes, x.size());
    EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float v) { return std::isfinite(v); })) << size;
    EXPECT_LE(squared_error(x, y), 1.0001 * squared_error(x, Row(x.size(), 0.0F))) << size;
  }
  Row mixed = shape;
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] *= i % 3 == 0 ? 1e30F : 1e-30F;
  for (const float v : quantized(format, mixed)) EXPECT_TRUE(std::isfinite(v));
}

/// Where rows may end within a block, what is not there changes nothing.
TEST_P(VectorFormat, RowsOfAnyLength) {
  const Format& format = *GetParam();
  const Row long_row = normal_row(7, 300);
  for (const std::size_t n : {1U, 7U, 8U, 16U, 31U, 100U, 296U}) {
    if (!format.fits(n)) continue;
    const Row x(long_row.begin(), long_row.begin() + static_cast<std::ptrdiff_t>(n));
    const Row y = quantized(format, x);
    EXPECT_LT(squared_error(x, y), 0.4 * squared_error(x, Row(n, 0.0F))) << n;
  }
}

std::vector<const Format*> vector_formats() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats())
    if (has_vectors(*format)) list.push_back(format);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Every, VectorFormat, testing::ValuesIn(vector_formats()), [](const auto& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

// Pinned: the loops are compiled for several instruction sets, and each must write these bytes.
TEST(VectorBytes, AreTheSameOnEveryMachine) {
  const std::pair<const Format*, std::uint64_t> pins[] = {
      {&formats::iq2_xs, 0xA33669BF9D563724ULL},    {&formats::iq2_s, 0x133B4E586BF63D9AULL},
      {&formats::iq3_xxs, 0x18266B5A0E6155CEULL},   {&formats::iq1_s, 0x7EE715760BE9AC7CULL},
      {&formats::iq1_m, 0x8662334C7ED24777ULL},     {find_format("K2"), 0xEDB1A77041E2A15AULL},
      {find_format("K2.5"), 0x17D0B65C499E7C00ULL}, {find_format("K3"), 0xE833BBEAB9C99494ULL},
  };
  const Row x = exact_row(11);
  Row importance = exact_row(12);
  for (float& v : importance) v = v * v;
  for (const auto& [format, pin] : pins) {
    auto bytes = bytes_of(*format, x);
    const auto weighted = bytes_of(*format, x, importance.data(), 2);
    bytes.insert(bytes.end(), weighted.begin(), weighted.end());
    EXPECT_EQ(fnv1a(bytes), pin) << format->name << std::hex << " 0x" << fnv1a(bytes);
  }
}

// --- points ------------------------------------------------------------------------------------------

/// The least error over all codes, one after the other. Cells of two points: the signs of both are even.
double exhaustive(const VectorGrid& grid, const float* x, const float* w, float scale, float shift) {
  const auto error_of = [&](std::uint32_t point, std::size_t first, unsigned negative) {
    double error = 0;
    for (std::uint32_t i = 0; i < grid.width; ++i) {
      const double v = grid.points[point * grid.width + i];
      const double e = x[first + i] - scale * (((negative >> i & 1U) != 0 ? -v : v) + shift);
      error += w[first + i] * e * e;
    }
    return error;
  };
  const unsigned n_patterns = grid.signs == Signs::none ? 1U : 1U << grid.width;
  double least[2][2];  // [point of the cell][parity of its signs]
  for (std::size_t p = 0; p < grid.points_per_cell(); ++p)
    for (unsigned parity = 0; parity < 2; ++parity) {
      least[p][parity] = std::numeric_limits<double>::infinity();
      for (unsigned negative = 0; negative < n_patterns; ++negative)
        if (static_cast<unsigned>(std::popcount(negative)) % 2 == parity)
          for (std::uint32_t point = 0; point < grid.n_points; ++point)
            least[p][parity] = std::min(least[p][parity], error_of(point, p * grid.width, negative));
    }
  const bool even = grid.signs == Signs::even;
  if (grid.width == 8) return even ? least[0][0] : std::min(least[0][0], least[0][1]);
  const double same = std::min(least[0][0] + least[1][0], least[0][1] + least[1][1]);
  return even ? same : std::min(same, std::min(least[0][0] + least[1][1], least[0][1] + least[1][0]));
}

class VectorGrids : public testing::TestWithParam<const Format*> {};

TEST_P(VectorGrids, NearestIsNearest) {
  const VectorGrid& grid = *GetParam()->vectors;
  const CellSearch& search = CellSearch::of(grid);
  Rng rng(8);
  std::vector<Row> x;
  std::vector<Row> w;
  std::vector<CellQuery> queries;
  for (int q = 0; q < 11; ++q) {
    x.push_back(normal_row(100 + static_cast<std::uint64_t>(q), 8));
    w.emplace_back();
    for (int i = 0; i < 8; ++i) w.back().push_back(static_cast<float>(std::exp(rng.normal())));
    queries.push_back({nullptr, nullptr, static_cast<float>(0.5 + rng.uniform()) / search.rms(), q % 2 == 1});
  }
  for (std::size_t q = 0; q < queries.size(); ++q) {
    queries[q].x = x[q].data();
    queries[q].w = w[q].data();
  }
  std::vector<CellAnswer> quick(queries.size());
  std::vector<CellAnswer> exact(queries.size());
  search.nearest(queries, 1, quick.data());
  search.nearest(queries, 8, exact.data());
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const float shift = queries[q].shift_down ? -grid.shift : grid.shift;
    const double least = exhaustive(grid, queries[q].x, queries[q].w, queries[q].scale, shift);
    EXPECT_NEAR(exact[q].error, least, 1e-4 * least) << q;
    EXPECT_LE(quick[q].error, (grid.signs == Signs::even ? 1.5 : 1.0001) * least) << q;
    EXPECT_GE(quick[q].error, 0.9999 * least) << q;
    for (std::size_t i = 0; i < 8; ++i) {
      const std::uint32_t at = exact[q].code.point[i / grid.width] * grid.width + i % grid.width;
      const float v = grid.points[at];
      EXPECT_EQ(exact[q].value[i], ((exact[q].code.negative >> i & 1) != 0 ? -v : v) + shift);
    }
    if (grid.signs == Signs::even) {
      EXPECT_EQ(std::popcount(exact[q].code.negative) % 2, 0);
    }
  }
}

/// The codebook of QuIP#, in whose units a coordinate of the grid is 1/4. The example's first seven numbers
/// have the signs of x; the last one pays for the even sum.
TEST(E8P, ExampleAndErrorOnNormalNumbers) {
  const VectorGrid& grid = *find_format("K2")->row_scale->inner->vectors;
  const CellSearch& search = CellSearch::of(grid);
  const float w[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  const float x[8] = {.9F, -.4F, 1.6F, .1F, -1.1F, .3F, .7F, -.2F};
  const float expected[8] = {.75F, -.25F, 1.75F, -.25F, -1.25F, .75F, .75F, -.25F};
  const CellQuery queries[2] = {{x, w, 0.25F, false}, {x, w, 0.25F, true}};
  CellAnswer answers[2];
  search.nearest(queries, 8, answers);
  const CellAnswer& best = answers[answers[1].error < answers[0].error];
  EXPECT_NEAR(best.error, 0.42, 1e-6);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(0.25F * best.value[i], expected[i]) << i;

  // Numbers of root mean square 1.03 leave .0910 of their power.
  const Row row = normal_row(15, 80000);
  Row scaled(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) scaled[i] = 1.03F * row[i];
  double error = 0;
  for (std::size_t i = 0; i < scaled.size(); i += 8) {
    const CellQuery both[2] = {{&scaled[i], w, 0.25F, false}, {&scaled[i], w, 0.25F, true}};
    search.nearest(both, 8, answers);
    error += std::min(answers[0].error, answers[1].error);
  }
  EXPECT_NEAR(error / static_cast<double>(scaled.size()) / (1.03 * 1.03), 0.0910, 0.0012);
}

std::vector<const Format*> distinct_grids() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats()) {
    const Format* blocks = format->row_scale == nullptr ? format : format->row_scale->inner;
    if (blocks->vectors != nullptr) list.push_back(blocks);
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Every, VectorGrids, testing::ValuesIn(distinct_grids()), [](const auto& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '.', '_');
  return name + "_" + std::to_string(info.index);
});

}  // namespace
}  // namespace kerf

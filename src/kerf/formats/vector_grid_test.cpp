// Holds every format with a VectorGrid to the contract of vector_grid.h; each check must also reject a grid
// that is wrong on purpose.
#include "kerf/formats/vector_grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/formats/format.h"
#include "kerf/formats/iq_grids.h"

namespace kerf {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;
using Signs = VectorGrid::Signs;

std::size_t n_cells(const Format& format) {
  return format.block_size / VectorGrid::kCell;
}

AssertionResult is_well_formed(const Format& format) {
  const VectorGrid& grid = *format.vectors;
  if (grid.width != 4 && grid.width != 8) return AssertionFailure() << "width " << grid.width;
  if (grid.n_points == 0 || grid.n_points > 0x10000) return AssertionFailure() << grid.n_points << " points";
  if (format.block_size % (grid.group_cells * VectorGrid::kCell) != 0 ||
      n_cells(format) > VectorCodes::kMaxCells ||
      n_cells(format) / grid.group_cells > VectorCodes::kMaxGroups)
    return AssertionFailure() << "groups do not split the block";
  if (grid.shift_cells == 0 || grid.group_cells % grid.shift_cells != 0)
    return AssertionFailure() << "shifts do not split a group";
  for (std::size_t m = 0; m < grid.multipliers.size(); ++m)
    if (!(grid.multipliers[m] > (m == 0 ? 0.0F : grid.multipliers[m - 1])))
      return AssertionFailure() << "multiplier " << m << " does not ascend from zero";
  std::set<int> levels;
  std::set<std::vector<int>> points;
  for (std::uint32_t p = 0; p < grid.n_points; ++p) {
    const std::int8_t* point = grid.points + p * grid.width;
    if (!points.emplace(point, point + grid.width).second)
      return AssertionFailure() << "point " << p << " twice";
    for (std::uint32_t i = 0; i < grid.width; ++i) {
      levels.insert(grid.signs == Signs::none ? point[i] : std::abs(point[i]));
      if (point[i] < 0 && grid.signs == Signs::any)
        return AssertionFailure() << "point " << p << " has a sign of its own";
    }
  }
  if (levels.size() > (grid.width == 8 ? 4 : VectorGrid::kMaxLevels))
    return AssertionFailure() << levels.size() << " levels";
  return AssertionSuccess();
}

std::uint8_t random_signs(const VectorGrid& grid, Rng& rng) {
  if (grid.signs == Signs::none) return 0;
  const auto bits = static_cast<unsigned>(rng.below(256));
  return static_cast<std::uint8_t>(grid.signs == Signs::even ? formats::even_signs(bits & 127) : bits);
}

VectorCodes random_codes(const Format& format, Rng& rng) {
  const VectorGrid& grid = *format.vectors;
  VectorCodes codes{};
  for (std::size_t c = 0; c < n_cells(format); ++c) {
    codes.scale[c / grid.group_cells] = static_cast<std::uint8_t>(rng.below(grid.multipliers.size()));
    for (std::size_t p = 0; p < grid.points_per_cell(); ++p)
      codes.point[c][p] = static_cast<std::uint16_t>(rng.below(grid.n_points));
    codes.negative[c] = random_signs(grid, rng);
    if (grid.shift != 0)
      codes.shift_down[c] = c % grid.shift_cells == 0 ? rng.below(2) : codes.shift_down[c - 1];
  }
  return codes;
}

bool same(const Format& format, const VectorCodes& a, const VectorCodes& b) {
  const std::size_t cells = n_cells(format);
  const std::size_t groups = cells / format.vectors->group_cells;
  for (std::size_t c = 0; c < cells; ++c)
    if (!std::equal(a.point[c], a.point[c] + format.vectors->points_per_cell(), b.point[c])) return false;
  return std::equal(a.scale, a.scale + groups, b.scale) &&
         std::equal(a.negative, a.negative + cells, b.negative) &&
         std::equal(a.shift_down, a.shift_down + cells, b.shift_down);
}

float value_of(const VectorGrid& grid, const VectorCodes& codes, float factor, std::size_t i) {
  const std::size_t c = i / VectorGrid::kCell;
  const std::size_t k = i % VectorGrid::kCell;
  const std::uint32_t point = codes.point[c][k / grid.width];
  const auto coordinate = static_cast<float>(grid.points[point * grid.width + k % grid.width]);
  const float shift = codes.shift_down[c] != 0 ? -grid.shift : grid.shift;
  return factor * grid.multipliers[codes.scale[c / grid.group_cells]] *
         (((codes.negative[c] >> k & 1) != 0 ? -coordinate : coordinate) + shift);
}

/// What is stored is what load() and decode() see, for each code of each kind, and bytes say nothing else.
AssertionResult stores_what_it_loads(const Format& format) {
  const VectorGrid& grid = *format.vectors;
  Rng rng(21);
  std::set<unsigned> points;
  for (const double size : {0.0, 1.0, 0.01, 1e-4, 1e-7, 0x1p-40, 1000.0, 0x1p60})
    for (int trial = 0; trial < 400; ++trial) {
      const VectorCodes codes = random_codes(format, rng);
      std::vector<std::uint8_t> block(format.block_bytes, 0xA5);
      std::vector<std::uint8_t> other(format.block_bytes, 0x5A);
      const auto wanted = static_cast<float>(size * std::exp2(rng.normal()));
      const float factor = grid.store(wanted, codes, block.data());
      grid.store(wanted, codes, other.data());
      if (block != other) return AssertionFailure() << "bytes stay unset";
      if (!std::isfinite(factor) || factor < 0) return AssertionFailure() << "factor " << factor;
      if (size == 1.0 && grid.has_factor && std::fabs(factor / wanted - 1) > 0x1p-11F)
        return AssertionFailure() << "factor " << wanted << " became " << factor;
      if (!grid.has_factor && factor != 1) return AssertionFailure() << "a factor without having one";
      if (grid.store(factor, codes, other.data()) != factor || block != other)
        return AssertionFailure() << "storing what was read back changes it";
      if (format.defect != nullptr && format.defect(block.data()) != nullptr)
        return AssertionFailure() << "own block called defective";
      VectorCodes loaded;
      if (grid.load(block.data(), loaded) != factor) return AssertionFailure() << "factor comes back changed";
      if (!same(format, codes, loaded)) return AssertionFailure() << "codes come back changed";
      std::vector<float> values(format.block_size);
      format.decode(block.data(), values.data(), values.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        if (!(values[i] == value_of(grid, codes, factor, i)))
          return AssertionFailure() << "number " << i << " is " << values[i] << ", the grid says "
                                    << value_of(grid, codes, factor, i);
      for (std::size_t c = 0; c < n_cells(format); ++c) points.insert(codes.point[c][0]);
    }
  return points.size() > grid.n_points * 9 / 10 ? AssertionSuccess()
                                                : AssertionFailure() << "points left out";
}

bool legal(const Format& format, const VectorCodes& codes) {
  const VectorGrid& grid = *format.vectors;
  for (std::size_t c = 0; c < n_cells(format); ++c) {
    if (codes.scale[c / grid.group_cells] >= grid.multipliers.size() || codes.shift_down[c] > 1) return false;
    if (codes.shift_down[c] != codes.shift_down[c / grid.shift_cells * grid.shift_cells]) return false;
    if (grid.signs == Signs::none && codes.negative[c] != 0) return false;
    if (grid.signs == Signs::even && std::popcount(codes.negative[c]) % 2 != 0) return false;
    for (std::size_t p = 0; p < grid.points_per_cell(); ++p)
      if (codes.point[c][p] >= grid.n_points) return false;
  }
  return true;
}

/// Any sound block is made of codes: loading and storing them gives its bytes again.
AssertionResult every_block_has_codes(const Format& format) {
  Rng rng(22);
  std::size_t n_sound = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<std::uint8_t> block(format.block_bytes);
    for (auto& byte : block) byte = static_cast<std::uint8_t>(rng.next());
    if (format.defect != nullptr && format.defect(block.data()) != nullptr) continue;
    ++n_sound;
    VectorCodes codes;
    const float factor = format.vectors->load(block.data(), codes);
    if (!legal(format, codes)) return AssertionFailure() << "impossible codes in block " << trial;
    std::vector<std::uint8_t> again(block.size());
    format.vectors->store(factor, codes, again.data());
    if (block != again) return AssertionFailure() << "block " << trial << " comes back changed";
  }
  return n_sound > 0 ? AssertionSuccess() : AssertionFailure() << "no sound block";
}

class VectorFormat : public testing::TestWithParam<const Format*> {};
TEST_P(VectorFormat, KeepsItsPromises) {
  ASSERT_TRUE(is_well_formed(*GetParam()));
  EXPECT_TRUE(stores_what_it_loads(*GetParam()));
  EXPECT_TRUE(every_block_has_codes(*GetParam()));
}

/// Those with a row scale stand for the format of their blocks.
std::vector<const Format*> vector_formats() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats()) {
    const Format* blocks = format->row_scale == nullptr ? format : format->row_scale->inner;
    if (blocks->vectors != nullptr) list.push_back(blocks);
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Conformance, VectorFormat, testing::ValuesIn(vector_formats()),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name + "_" + std::to_string(info.index);
                         });

struct GoldenRow {
  std::string name;
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;
};

std::vector<GoldenRow> golden_rows() {
  std::ifstream in(KERF_SOURCE_DIR "/tests/golden/vector_formats.bin", std::ios::binary);
  std::vector<GoldenRow> rows;
  char name[17] = {};
  std::uint32_t sizes[2];
  while (in.read(name, 16) && in.read(reinterpret_cast<char*>(sizes), sizeof sizes)) {
    GoldenRow& row = rows.emplace_back();
    row.name = name;
    row.values.resize(sizes[0]);
    row.bytes.resize(sizes[1]);
    in.read(reinterpret_cast<char*>(row.bytes.data()), sizes[1]);
    in.read(reinterpret_cast<char*>(row.values.data()), static_cast<std::streamsize>(4 * row.values.size()));
  }
  return rows;
}

/// Made by another decoder: tools/golden_vector_formats.py.
TEST(VectorFormats, DecodeWhatAnotherDecoderDecodes) {
  const std::vector<GoldenRow> rows = golden_rows();
  ASSERT_EQ(rows.size(), 10U);
  for (const GoldenRow& row : rows) {
    const Format* format = find_format(row.name);
    ASSERT_NE(format, nullptr) << row.name;
    ASSERT_EQ(format->row_bytes(row.values.size()), row.bytes.size()) << row.name;
    std::vector<float> values(row.values.size());
    format->decode(row.bytes.data(), values.data(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(values[i], row.values[i]) << row.name << " number " << i;
  }
}

// --- the checks have teeth ---------------------------------------------------------------------------

template <const Format& kFormat>
struct Broken {
  static float store_odd_signs(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
    VectorCodes changed = codes;
    changed.negative[5] ^= 1;
    return kFormat.vectors->store(factor, changed, block);
  }
  static float keep_wanted_factor(float factor, const VectorCodes& codes, std::uint8_t* block) noexcept {
    kFormat.vectors->store(factor, codes, block);
    return factor;
  }
  static float load_last_scale_as_zero(const std::uint8_t* block, VectorCodes& codes) noexcept {
    const float factor = kFormat.vectors->load(block, codes);
    codes.scale[7] = 0;
    return factor;
  }
};

TEST(VectorFormatChecks, RejectWrongGrids) {
  using Breaks = Broken<formats::iq2_xxs>;
  VectorGrid grid = *formats::iq2_xxs.vectors;
  Format wrong = formats::iq2_xxs;
  wrong.vectors = &grid;
  ASSERT_TRUE(stores_what_it_loads(wrong));
  grid.store = Breaks::store_odd_signs;
  EXPECT_FALSE(stores_what_it_loads(wrong));
  grid = *formats::iq2_xxs.vectors;
  grid.store = Breaks::keep_wanted_factor;
  EXPECT_FALSE(stores_what_it_loads(wrong));
  grid = *formats::iq2_xxs.vectors;
  grid.load = Breaks::load_last_scale_as_zero;
  EXPECT_FALSE(stores_what_it_loads(wrong));
  EXPECT_FALSE(every_block_has_codes(wrong));
  grid = *formats::iq2_xxs.vectors;
  grid.points = formats::kIq2XsGrid[0].data();
  EXPECT_FALSE(stores_what_it_loads(wrong));
  EXPECT_TRUE(is_well_formed(wrong));
  grid.group_cells = 3;
  EXPECT_FALSE(is_well_formed(wrong));
  grid = *formats::iq2_xxs.vectors;
  grid.multipliers = grid.multipliers.first(1);
  EXPECT_FALSE(every_block_has_codes(wrong));
}

}  // namespace
}  // namespace kerf

// Holds quantize_row() to its contract for every writable format, and shows that each check would notice.
#include "kerf/quantizers/quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "kerf/base/rng.h"
#include "kerf/quantizers/block_search.h"

namespace kerf {
namespace {

using testing::AssertionFailure;
using testing::AssertionResult;
using testing::AssertionSuccess;
using Row = std::vector<float>;
using Quantize = std::function<void(const Format&, const float*, const float*, std::uint8_t*, std::size_t)>;

Quantize quantize_at(int effort) {
  return [effort](const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                  std::size_t n) { quantize_row(format, x, importance, dst, n, {.effort = effort}); };
}
const Quantize kQuantizeRow = quantize_at(QuantizeOptions{}.effort);

constexpr std::size_t kRow = 2560;  // ten blocks of 256: one full batch of blocks and a rest

std::vector<std::uint8_t> bytes_of(const Format& format, const Row& x, const float* importance,
                                   const Quantize& quantize) {
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  quantize(format, x.data(), importance, bytes.data(), x.size());
  return bytes;
}

Row decoded(const Format& format, const std::vector<std::uint8_t>& bytes) {
  Row row(bytes.size() / format.block_bytes * format.block_size);
  format.decode(bytes.data(), row.data(), row.size());
  return row;
}

Row quantized(const Format& format, const Row& x, const Quantize& quantize) {
  return decoded(format, bytes_of(format, x, nullptr, quantize));
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

/// What one would write first: the extremes of a group land on the ends of the grid.
Row naive(const Format& format, const Row& x) {
  const Grid& grid = *format.grid;
  const std::size_t group = format.block_size / grid.n_groups;
  const float lo = grid.levels.front();
  const float hi = grid.levels.back();
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  std::vector<std::uint8_t> codes(format.block_size);
  for (std::size_t b = 0; b * format.block_size < x.size(); ++b) {
    const float* block = x.data() + b * format.block_size;
    std::uint8_t* dst = bytes.data() + b * format.block_bytes;
    float scale[Grid::kMaxGroups];
    float offset[Grid::kMaxGroups] = {};
    for (std::size_t g = 0; g < grid.n_groups; ++g) {
      const auto [least, most] = std::minmax_element(block + g * group, block + (g + 1) * group);
      if (grid.has_offset) {
        offset[g] = grid.offset_sign == Grid::Sign::non_positive ? std::min(*least, 0.0F) : *least;
        scale[g] = (*most - offset[g]) / (hi - lo);
      } else {
        scale[g] = std::max(-*least, *most) / std::min(-lo, hi);
      }
    }
    grid.store_parameters(scale, offset, dst);
    for (std::size_t i = 0; i < format.block_size; ++i) {
      const float t = scale[i / group] == 0 ? 0 : (block[i] - offset[i / group]) / scale[i / group];
      const auto nearer = [t](float a, float b_) { return std::fabs(a - t) < std::fabs(b_ - t); };
      codes[i] = static_cast<std::uint8_t>(std::min_element(grid.levels.begin(), grid.levels.end(), nearer) -
                                           grid.levels.begin());
    }
    grid.store_codes(codes.data(), dst);
  }
  return decoded(format, bytes);
}

// --- checks ------------------------------------------------------------------------------------

/// The least squared error on N(0,1) of these levels under one scale (and offset, where the format has one)
/// for all numbers: by integration over 2400 steps and 400 scales.
double best_fixed_grid(const Grid& grid) {
  constexpr double kStep = 0.005;
  const auto nearest = [&](double t) {
    const auto above = std::lower_bound(grid.levels.begin(), grid.levels.end(), t);
    if (above == grid.levels.begin()) return static_cast<double>(*above);
    if (above == grid.levels.end()) return static_cast<double>(above[-1]);
    return t - above[-1] < *above - t ? static_cast<double>(above[-1]) : static_cast<double>(*above);
  };
  const double lo = grid.levels.front();
  const double hi = grid.levels.back();
  double best = 1;
  // An offset makes the grid symmetric; a zero point does so only as far as multiples of the scale do.
  const double middle = !grid.has_offset  ? 0
                        : grid.zero_point ? std::floor(0.5 * (lo + hi))
                                          : 0.5 * (lo + hi);
  for (double reach = 0.5; reach < 6; reach *= 1.015) {
    const double scale = reach / (std::max(hi - middle, middle - lo));
    double error = 0;
    for (double x = -6 + kStep / 2; x < 6; x += kStep) {
      const double back = scale * (nearest(x / scale + middle) - middle);
      error += std::exp(-0.5 * x * x) * (x - back) * (x - back);
    }
    best = std::min(best, error * kStep / std::sqrt(2 * std::numbers::pi));
  }
  return best;
}

// Max (1960): the best uniform grids of 2, 3, 4, 8, 16 levels, and the least error that any 16 can have.
TEST(BestFixedGrid, IsTheKnownOne) {
  EXPECT_NEAR(best_fixed_grid(*formats::q1_0.grid), .3633802, 1e-4);
  EXPECT_NEAR(best_fixed_grid(*formats::tq2_0.grid), .190174, 1e-4);
  EXPECT_NEAR(best_fixed_grid(*find_format("UINT2_G32_F16Z")->grid), .118846, 1e-4);
  EXPECT_NEAR(best_fixed_grid(*find_format("UINT3_G32_F16Z")->grid), .0374397, 1e-4);
  EXPECT_NEAR(best_fixed_grid(*find_format("UINT4_G32_F16Z")->grid), .0115429, 1e-5);
  EXPECT_GT(best_fixed_grid(*find_format("NF4_G64")->grid), .0095010);
}

/// On N(0,1): above the distortion-rate bound 2^(−2R) for R bits per number, all in, and below 1.35 times the
/// error of the best fixed grid with these levels, because groups adapt and parameters cost little.
AssertionResult error_on_normal_numbers_is_sound(const Format& format, const Quantize& quantize) {
  const Row x = normal_row(1, 16 * kRow);
  const double mse = squared_error(x, quantized(format, x, quantize)) / static_cast<double>(x.size());
  const double bound = std::exp2(-2 * format.bits_per_weight());
  const double optimum = best_fixed_grid(*format.grid);
  if (mse < bound) return AssertionFailure() << "error " << mse << " beats the bound " << bound;
  if (mse > 1.35 * optimum) return AssertionFailure() << "error " << mse << ", fixed grid has " << optimum;
  return AssertionSuccess();
}

Row outlier_row() {
  Row x = normal_row(2);
  for (std::size_t i = 7; i < x.size(); i += 97) x[i] *= 25;
  return x;
}

Row shifted_row() {
  Row x = normal_row(3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.02F * x[i] + (i % 512 < 256 ? 1.0F : -3.0F);
  return x;
}

Row sparse_row() {
  Row x = normal_row(4);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i % 512 < 256 || i % 5 != 0) x[i] = 0;
  return x;
}

AssertionResult never_worse_than_naive(const Format& format, const Quantize& quantize) {
  for (const Row& x : {normal_row(5), outlier_row(), shifted_row(), sparse_row()}) {
    const double error = squared_error(x, quantized(format, x, quantize));
    const double limit = squared_error(x, naive(format, x));
    if (error > limit * 1.000001)
      return AssertionFailure() << "error " << error << ", naive rounding " << limit;
  }
  return AssertionSuccess();
}

/// How much of the first error a second rounding may cost. Nothing, but:
/// - Five-bit sums of powers of two: 31 levels of no common step, so that of their numbers too few may be
///   alike for the search to suspect them.
/// - At effort 0 hardly anything is tried where numbers are suspected wrongly to be ordinary.
/// - Numbers unlike those of a model, with blocks of one outlier and nothing else: there many steps fit, and
///   those of a lattice of few bits each are not all tried; nor is a step of eight bits always seen in sums
///   with an offset of eleven.
double part_that_may_move(const Format& format, int effort, bool harsh) {
  if (format.name.starts_with("APOT5")) return effort == 0 ? 0.003 : 0.0005;
  if (!harsh) return effort > 0 ? 0.0 : format.grid->n_groups > 1 ? 0.02 : 0.003;
  if (&format == &formats::q2_k) return 0.55;
  if (format.grid->n_groups > 1) return 0.03;
  if (format.name.starts_with("UINT8") && format.name.find("BF16") != std::string_view::npos) return 0.25;
  return 0.0;
}

/// Numbers that a block can hold are found again: the second time changes nothing.
AssertionResult finds_its_own_grid_again(const Format& format, int effort, const Quantize& quantize) {
  const Row rows[] = {normal_row(6), normal_row(16), outlier_row(), shifted_row()};
  for (std::size_t r = 0; r < std::size(rows); ++r) {
    const Row once = quantized(format, rows[r], quantize);
    const double first = squared_error(rows[r], once);
    const double second = squared_error(once, quantized(format, once, quantize));
    if (second > part_that_may_move(format, effort, r >= 2) * first)
      return AssertionFailure() << "row " << r << ": the second time costs " << second << ", the first "
                                << first;
  }
  return AssertionSuccess();
}

AssertionResult finite_for(const Format& format, const Row& x, const Quantize& quantize) {
  const auto bytes = bytes_of(format, x, nullptr, quantize);
  for (std::size_t b = 0; b < bytes.size(); b += format.block_bytes)
    if (format.defect != nullptr && format.defect(&bytes[b]) != nullptr)
      return AssertionFailure() << format.defect(&bytes[b]);
  const Row y = decoded(format, bytes);
  for (std::size_t i = 0; i < y.size(); ++i)
    if (!std::isfinite(y[i]))
      return AssertionFailure() << "number " << i << ": " << x[i] << " became " << y[i];
  return AssertionSuccess();
}

AssertionResult survives_extremes(const Format& format, const Quantize& quantize) {
  const float kMax = std::numeric_limits<float>::max();
  const Row shape = normal_row(7);
  for (const float size :
       {0.0F, 1e-45F, 1e-39F, 1e-30F, 1e-8F, 1e-6F, 1e-4F, 1e4F, 1e6F, 1e10F, 1e30F, kMax / 8}) {
    Row x = shape;
    for (float& v : x) v *= size;
    if (auto ok = finite_for(format, x, quantize); !ok) return ok << ", size " << size;
    // Adding as good as nothing must not do worse than writing zeros.
    const Row zeros(x.size(), 0.0F);
    if (squared_error(x, quantized(format, x, quantize)) > squared_error(x, zeros) * 1.0001)
      return AssertionFailure() << "worse than zeros at size " << size;
  }
  for (const float constant : {1.0F, -0.37F, 1e-7F, 7e4F, kMax, -kMax}) {
    const Row x(kRow, constant);
    if (auto ok = finite_for(format, x, quantize); !ok) return ok << ", constant " << constant;
    const double limit = 0.15 * 0.15 * static_cast<double>(constant) * static_cast<double>(constant) * kRow;
    if (std::fabs(constant) > 0.1F && std::fabs(constant) < 2.0F &&
        squared_error(x, quantized(format, x, quantize)) > limit)
      return AssertionFailure() << "constant " << constant << " is not kept";
  }
  Row mixed = shape;
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] *= i % 3 == 0 ? 1e30F : 1e-30F;
  if (auto ok = finite_for(format, mixed, quantize); !ok) return ok << ", mixed sizes";
  if (format.grid->levels.size() == 2) return AssertionSuccess();  // signs only: no zero beside a lone number
  Row spike(kRow, 0.0F);
  for (std::size_t i = 11; i < kRow; i += 256) spike[i] = i % 512 < 256 ? 3.5F : -3.5F;
  if (squared_error(spike, quantized(format, spike, quantize)) >
      0.025 * squared_error(spike, Row(kRow, 0.0F)))
    return AssertionFailure() << "a lone number is not kept";
  return AssertionSuccess();
}

AssertionResult importance_counts(const Format& format, const Quantize& quantize) {
  const Row x = normal_row(8);
  Row importance(x.size());
  Rng rng(9);
  for (float& w : importance) w = static_cast<float>(std::exp(1.5 * rng.normal()));
  const Row plain = quantized(format, x, quantize);
  const Row weighted = decoded(format, bytes_of(format, x, importance.data(), quantize));
  const double with = squared_error(x, weighted, &importance);
  const double without = squared_error(x, plain, &importance);
  // A scale that is a power of two, or the sign alone, leave little to gain.
  if (with > without * 0.998)
    return AssertionFailure() << "weighted error " << with << ", ignoring it " << without;

  for (float& w : importance) w = 0.0F;
  if (bytes_of(format, x, importance.data(), quantize) != bytes_of(format, x, nullptr, quantize))
    return AssertionFailure() << "importance of zero everywhere is not the same as none";
  return AssertionSuccess();
}

/// Block by block or as a row, the bytes are the same: nothing leaks between blocks.
AssertionResult blocks_do_not_depend_on_each_other(const Format& format, const Quantize& quantize) {
  const Row x = outlier_row();
  const auto row = bytes_of(format, x, nullptr, quantize);
  std::vector<std::uint8_t> block(format.block_bytes);
  for (std::size_t b = 0; b * format.block_size < x.size(); ++b) {
    quantize(format, x.data() + b * format.block_size, nullptr, block.data(), format.block_size);
    if (!std::equal(block.begin(), block.end(), row.begin() + static_cast<std::ptrdiff_t>(b * block.size())))
      return AssertionFailure() << "block " << b << " differs";
  }
  return AssertionSuccess();
}

// --- every writable format -----------------------------------------------------------------------

std::vector<const Format*> formats_with_grid() {
  std::vector<const Format*> list;
  for (const Format* format : all_formats())
    if (format->grid != nullptr) list.push_back(format);
  return list;
}

struct Case {
  const Format* format;
  int effort;
};

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const Format* format : formats_with_grid())
    for (int effort = 0; effort <= 3; ++effort) cases.push_back({format, effort});
  return cases;
}

class QuantizeRow : public testing::TestWithParam<Case> {
 protected:
  const Format& format = *GetParam().format;
  const Quantize quantize = quantize_at(GetParam().effort);
};

TEST_P(QuantizeRow, ErrorOnNormalNumbers) {
  EXPECT_TRUE(error_on_normal_numbers_is_sound(format, quantize));
}
TEST_P(QuantizeRow, NeverWorseThanNaive) {
  EXPECT_TRUE(never_worse_than_naive(format, quantize));
}
TEST_P(QuantizeRow, FindsItsOwnGridAgain) {
  EXPECT_TRUE(finds_its_own_grid_again(format, GetParam().effort, quantize));
}
TEST_P(QuantizeRow, SurvivesExtremes) {
  EXPECT_TRUE(survives_extremes(format, quantize));
}
TEST_P(QuantizeRow, ImportanceCounts) {
  EXPECT_TRUE(importance_counts(format, quantize));
}
TEST_P(QuantizeRow, BlocksAreIndependent) {
  EXPECT_TRUE(blocks_do_not_depend_on_each_other(format, quantize));
}

INSTANTIATE_TEST_SUITE_P(Every, QuantizeRow, testing::ValuesIn(every_case()), [](const auto& info) {
  return std::string(info.param.format->name) + "_effort" + std::to_string(info.param.effort);
});

TEST(QuantizeRowPlain, RoundsEachNumber) {
  const Row x = normal_row(10);
  const Row y = quantized(formats::bf16, x, kQuantizeRow);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_LE(std::fabs(x[i] - y[i]), std::fabs(x[i]) / 256);
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

// Pinned: the loops are compiled for several instruction sets, and each must write these bytes. A sanitizer
// build runs the baseline.
TEST(QuantizeRowBytes, AreTheSameOnEveryMachine) {
  const std::pair<const Format*, std::uint64_t> pins[] = {
      {&formats::q4_0, 0xD2EA6A64330A7CABULL},   {&formats::q4_1, 0x833667BD62380E70ULL},
      {&formats::q5_0, 0x5B2E60A464227741ULL},   {&formats::q8_0, 0xAAF462D1FD838EBAULL},
      {&formats::iq4_nl, 0xDE5105F8476516F6ULL}, {&formats::mxfp4, 0xEED57F9DE9222DD4ULL},
      {&formats::nvfp4, 0x6C9E81B7E31E2363ULL},  {&formats::tq2_0, 0xAEDC1F6D9F7A8550ULL},
  };
  const Row x = exact_row(11);
  const Row importance = [] {
    Row w = exact_row(12);
    for (float& v : w) v = v * v;
    return w;
  }();
  for (const auto& [format, pin] : pins) {
    auto bytes = bytes_of(*format, x, nullptr, kQuantizeRow);
    const auto weighted = bytes_of(*format, x, importance.data(), kQuantizeRow);
    bytes.insert(bytes.end(), weighted.begin(), weighted.end());
    EXPECT_EQ(fnv1a(bytes), pin) << format->name << std::hex << " 0x" << fnv1a(bytes);
  }
}

// --- the pieces --------------------------------------------------------------------------------------

TEST(Levels, CodesAreThoseOfTheNearestLevel) {
  Rng rng(13);
  for (const Format* format : formats_with_grid()) {
    const Grid& grid = *format->grid;
    EXPECT_LE(format->block_bytes, kMaxBlockBytes);
    const Levels levels(grid);
    std::array<float, 256> x;
    const float reach = 1.2F * std::max(grid.levels.back(), -grid.levels.front());
    const float scale = grid.scale_sign == Grid::Sign::any ? -0.5F : 0.5F;
    for (float& v : x) v = static_cast<float>(2 * rng.uniform() - 1) * reach * 0.5F + 3.0F;
    const float offset = 3.0F;
    std::array<std::uint8_t, 256> codes;
    choose_codes(levels, x.data(), x.size(), 1, &scale, &offset, codes.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float t = (x[i] - offset) / scale;
      const auto nearer = [t](float a, float b) { return std::fabs(a - t) < std::fabs(b - t); };
      const float nearest = *std::min_element(grid.levels.begin(), grid.levels.end(), nearer);
      EXPECT_LE(std::fabs(grid.levels[codes[i]] - t), std::fabs(nearest - t) + 1e-4F)
          << format->name << ": " << t << " became " << grid.levels[codes[i]];
    }
  }
}

TEST(SearchPlan, FindsScaleAndOffsetOfNumbersOnAGrid) {
  Rng rng(14);
  const Format& format = formats::q4_1;
  Row x(kLanes * format.block_size);
  Lanes scale;
  Lanes offset;
  for (std::size_t k = 0; k < kLanes; ++k) {
    scale[k] = 0.01F * static_cast<float>(1 + k);
    offset[k] = k < 4 ? -0.3F * static_cast<float>(k) : 40.0F;
    for (std::size_t i = 0; i < format.block_size; ++i)
      x[k * format.block_size + i] =
          offset[k] + scale[k] * static_cast<float>(i < 2 ? 15 * i : rng.below(16));
  }
  Panel panel;
  load_numbers(panel, x.data(), format.block_size);
  centre_far_groups(panel);
  Moments numbers;
  moments(panel, numbers);
  GroupGrids grids;
  SearchPlan(*format.grid, 1, false).fit(panel, numbers, grids);
  for (std::size_t k = 0; k < kLanes; ++k) {
    EXPECT_NEAR(grids.scale[k], scale[k], 1e-4F * scale[k]) << k;
    EXPECT_NEAR(grids.offset[k] + panel.centre[k], offset[k], 1e-3F * scale[k] + 1e-6F * offset[k]) << k;
  }
}

// --- the checks have teeth -------------------------------------------------------------------------

void quantize_first_block_only(const Format& format, const float* x, const float*, std::uint8_t* dst,
                               std::size_t n) {
  std::fill_n(dst, format.row_bytes(n), std::uint8_t{0});
  quantize_row(format, x, nullptr, dst, format.block_size);
}

/// Scales chosen for twice the numbers.
void quantize_doubled(const Format& format, const float* x, const float*, std::uint8_t* dst, std::size_t n) {
  Row twice(x, x + n);
  for (float& v : twice) v *= 1.2F;
  quantize_row(format, twice.data(), nullptr, dst, n);
}

void quantize_to_nan(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                     std::size_t n) {
  quantize_row(format, x, importance, dst, n);
  dst[0] = dst[1] = 0xFF;
}

TEST(QuantizeRowChecks, RejectWrongQuantizers) {
  const Format& format = formats::q4_0;
  EXPECT_FALSE(error_on_normal_numbers_is_sound(format, quantize_first_block_only));
  EXPECT_FALSE(never_worse_than_naive(format, quantize_doubled));
  EXPECT_FALSE(finds_its_own_grid_again(format, 1, quantize_doubled));
  EXPECT_FALSE(survives_extremes(format, quantize_to_nan));
  EXPECT_FALSE(importance_counts(format, quantize_doubled));
  EXPECT_FALSE(blocks_do_not_depend_on_each_other(format, quantize_first_block_only));
}

}  // namespace
}  // namespace kerf

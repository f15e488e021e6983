// Error feedback against worked examples, NumPy and its own objective, on grids whose scales are fixed.
#include "kerf/quantizers/feedback.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

#include "kerf/quantizers/feedback_for_tests.h"

namespace kerf {
namespace {

/// How the levels 0 … 2^bits − 1 of a FixedGrid become numbers.
struct FixedLine {
  float scale, offset;
};

/// Blocks of 16 codes of one byte each on a grid that nothing can change.
template <const FixedLine& line, std::size_t n_levels>
struct FixedGrid {
  static constexpr auto kLevels = [] {
    std::array<float, n_levels> levels{};
    for (std::size_t c = 0; c < n_levels; ++c) levels[c] = static_cast<float>(c);
    return levels;
  }();
  static void store_parameters(float* scale, float* offset, std::uint8_t*) noexcept {
    *scale = line.scale;
    *offset = line.offset;
  }
  static void store_codes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
    std::copy_n(codes, 16, block);
  }
  static void load(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
    store_parameters(scale, offset, nullptr);
    std::copy_n(block, 16, codes);
  }
  static void decode(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
    for (std::size_t i = 0; i < n; ++i) dst[i] = line.scale * static_cast<float>(src[i]) + line.offset;
  }
  static constexpr Grid kGrid{.n_groups = 1,
                              .levels = kLevels,
                              .uniform = true,
                              .scale_sign = Grid::Sign::any,
                              .has_offset = true,
                              .offset_sign = Grid::Sign::any,
                              .store_parameters = store_parameters,
                              .store_codes = store_codes,
                              .load = load};
  static constexpr Format kFormat{.name = "fixed",
                                  .gguf_type = kNoGgufType,
                                  .block_size = 16,
                                  .block_bytes = 16,
                                  .summary = "",
                                  .decode = decode,
                                  .encode_plain = nullptr,
                                  .grid = &kGrid,
                                  .defect = nullptr,
                                  .any_length = true};
};

constexpr FixedLine kFromMinusThree{1, -3};
constexpr const Format& kIntegers = FixedGrid<kFromMinusThree, 8>::kFormat;  // −3 … 4

FormatBytes codes_of(const FormatBytes& bytes, std::size_t n_rows, std::size_t n_cols) {
  FormatBytes codes;
  for (std::size_t r = 0; r < n_rows; ++r) {
    const auto row = bytes.begin() + static_cast<std::ptrdiff_t>(r * (bytes.size() / n_rows));
    codes.insert(codes.end(), row, row + static_cast<std::ptrdiff_t>(n_cols));
  }
  return codes;
}

TEST(Feedback, FindsTheOptimumOfAWorkedExample) {
  const Numbers h = {2, 1, .5, 1, 2, 1, .5, 1, 2};
  const Numbers w = {.45F, .45F, .45F};
  const Feedback feedback = feedback_of(h, {.damping = 0, .refinements = 0});
  const Numbers back = decoded(kIntegers, rounded(feedback, kIntegers, w), 3);
  EXPECT_EQ(back, (Numbers{0, 1, 0}));
  EXPECT_NEAR(feedback.error(w.data(), back.data(), 1), 2 * .31375, 1e-6);
  const Numbers zeros(3, 0.0F);
  EXPECT_NEAR(feedback.error(w.data(), zeros.data(), 1), 2 * 1.11375, 1e-6);
}

constexpr FixedLine kFirstRow{.1728571F, -2 * .1728571F};
constexpr FixedLine kSecondRow{.1957143F, -3 * .1957143F};

TEST(Feedback, FollowsTheStepsOfAnotherWorkedExample) {
  const Numbers x = {1, 2, 0, 1, 2, 3, 1, 0, 0, 1, 1, 2, 1, 1, 0, 1, 3, 4, 1, 1, 1, 2, 2, 0};
  Numbers h(16, 0.0F);
  for (std::size_t t = 0; t < 6; ++t)
    for (std::size_t i = 0; i < 16; ++i) h[i] += x[t * 4 + i / 4] * x[t * 4 + i % 4] / 3;
  const Numbers rows[] = {{.9F, -.31F, .42F, .15F}, {-.6F, .77F, .05F, -.2F}};
  const Format* formats[] = {&FixedGrid<kFirstRow, 8>::kFormat, &FixedGrid<kSecondRow, 8>::kFormat};
  const FormatBytes plain_codes[] = {{7, 0, 4, 3}, {0, 7, 3, 2}};
  const FormatBytes found_codes[] = {{7, 0, 5, 3}, {0, 7, 3, 2}};
  const Feedback feedback = feedback_of(h, {.damping = .01, .refinements = 0});
  double plain_error = 0;
  double found_error = 0;
  for (std::size_t r = 0; r < 2; ++r) {
    const Format& format = *formats[r];
    const FormatBytes plain = rounded_plainly(feedback, format, rows[r]);
    const FormatBytes found = rounded(feedback, format, rows[r]);
    EXPECT_EQ(codes_of(plain, 1, 4), plain_codes[r]);
    EXPECT_EQ(codes_of(found, 1, 4), found_codes[r]);
    plain_error += feedback.error(rows[r].data(), decoded(format, plain, 4).data(), 1) / 2;
    found_error += feedback.error(rows[r].data(), decoded(format, found, 4).data(), 1) / 2;
  }
  EXPECT_NEAR(plain_error, .0405456, 1e-6);
  EXPECT_NEAR(found_error, .0102956, 1e-6);
}

TEST(Feedback, AgreesWithNumPy) {
  std::ifstream file(KERF_SOURCE_DIR "/tests/golden/feedback.bin", std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const char* at = bytes.data();
  const auto read = [&](auto* values, std::size_t n) {
    ASSERT_LE(at + n * sizeof *values, bytes.data() + bytes.size());
    std::memcpy(values, at, n * sizeof *values);
    at += n * sizeof *values;
  };
  int n_cases = 0;
  for (; at != bytes.data() + bytes.size(); ++n_cases) {
    std::int32_t head[4];
    read(head, 4);
    const auto n_rows = static_cast<std::size_t>(head[0]);
    const auto n = static_cast<std::size_t>(head[1]);
    Numbers a(n);
    Numbers r(n);
    Numbers w(n_rows * n);
    FormatBytes expected(n_rows * n);
    read(a.data(), n);
    read(r.data(), n);
    read(w.data(), w.size());
    read(expected.data(), expected.size());
    Numbers h(n * n);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) h[i * n + j] = (a[i] * a[j]) * r[i > j ? i - j : j - i];
    const Feedback feedback =
        feedback_of(h, {.damping = head[2] / 1000.0, .act_order = head[3] != 0, .refinements = 0});
    EXPECT_EQ(codes_of(rounded(feedback, kIntegers, w), n_rows, n), expected) << n;
  }
  EXPECT_EQ(n_cases, 6);
}

constexpr FixedLine kFourBits{.4F, -3.0F};

double error_of(const Format& format, const Numbers& h, const Numbers& w, int refinements) {
  const Feedback feedback = feedback_of(h, {.damping = .001, .refinements = refinements});
  return sum_of(costs(h, w, decoded(format, rounded(feedback, format, w), feedback.n_cols())));
}

TEST(Feedback, LeavesAFifthOfTheErrorOfFourBitsOnCorrelatedInputs) {
  const Format& format = FixedGrid<kFourBits, 16>::kFormat;
  const Numbers h = autoregressive(128, .9);
  const Numbers w = normal_numbers(1, 64 * 128);
  const double plain = sum_of(costs(h, w, decoded(format, rounded_plainly(feedback_of(h), format, w), 128)));
  EXPECT_NEAR(error_of(format, h, w, 0) / plain, .205, .02);
}

// Inputs that are mixtures of a few others, as those of a network are.
TEST(Feedback, RefinementLowersTheError) {
  constexpr std::size_t kN = 400;
  constexpr std::size_t kSources = 60;
  Numbers mix = normal_numbers(2, kSources * kN);
  const Numbers size = normal_numbers(4, kN);
  for (std::size_t i = 0; i < mix.size(); ++i) mix[i] *= std::exp(size[i % kN]);
  Numbers h(kN * kN, 0.0F);
  for (std::size_t i = 0; i < kN; ++i) {
    for (std::size_t j = 0; j < kN; ++j)
      for (std::size_t s = 0; s < kSources; ++s)
        h[i * kN + j] += mix[s * kN + i] * mix[s * kN + j] / static_cast<float>(1 + s);
    h[i * kN + i] += 0.5F;
  }
  const Format& format = FixedGrid<kFourBits, 16>::kFormat;
  const Numbers w = normal_numbers(3, 16 * kN);
  const double walked = error_of(format, h, w, 0);
  const double once = error_of(format, h, w, 1);
  EXPECT_LT(once, .7 * walked);
  EXPECT_LT(error_of(format, h, w, 4), .95 * once);
}

TEST(Feedback, ErrorIsTheQuadraticForm) {
  for (const std::size_t n : {1U, 3U, 4U, 37U}) {
    Numbers h = autoregressive(n, 0.7);
    for (float& x : h) x *= 3e7F;
    const Numbers w = normal_numbers(1, 41 * n);
    const Numbers back = normal_numbers(2, 41 * n);
    const double expected = sum_of(costs(h, w, back));
    EXPECT_NEAR(feedback_of(h).error(w.data(), back.data(), 41), expected, 1e-5 * expected);
  }
}

TEST(Feedback, RefusesWhatIsNotFinite) {
  Numbers h = autoregressive(4, 0.5);
  h[6] = std::numeric_limits<float>::quiet_NaN();
  const auto feedback = Feedback::make(h, 4, {});
  ASSERT_FALSE(feedback);
  EXPECT_EQ(feedback.error().kind, ErrorKind::numeric);
  h[6] = h[0] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(Feedback::make(h, 4, {}));
}

TEST(Feedback, SaysHowMomentsWereRepaired) {
  const Feedback dead = feedback_of({2, 0, 0, 0});
  EXPECT_EQ(dead.n_dead(), 1U);
  EXPECT_EQ(dead.repair(), Repair::none);
  EXPECT_EQ(dead.damping(), .01);
  const Feedback indefinite = feedback_of({1, 9, 9, 1});
  EXPECT_EQ(indefinite.repair(), Repair::diagonal);
  const Numbers w = {1, 2};
  const Numbers back = {3, 5};
  EXPECT_NEAR(indefinite.error(w.data(), back.data(), 1), 13.0, 1e-5);
}

}  // namespace
}  // namespace kerf

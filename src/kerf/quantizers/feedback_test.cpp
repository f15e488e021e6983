#include "kerf/quantizers/feedback.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

using Numbers = std::vector<float>;
using Bytes = std::vector<std::uint8_t>;

Numbers normal_numbers(std::uint64_t seed, std::size_t n) {
  Rng rng(seed);
  Numbers numbers(n);
  for (float& x : numbers) x = static_cast<float>(rng.normal());
  return numbers;
}

/// The covariance of a first-order autoregressive process: ρ^|i − j|.
Numbers autoregressive(std::size_t n, double rho) {
  Numbers h(n * n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      h[i * n + j] = static_cast<float>(std::pow(rho, i > j ? i - j : j - i));
  return h;
}

Feedback feedback_of(const Numbers& h, const FeedbackOptions& options = {}) {
  auto feedback = Feedback::make(h, static_cast<std::size_t>(std::sqrt(h.size())), options);
  EXPECT_TRUE(feedback);
  return *std::move(feedback);
}

Bytes rounded(const Feedback& feedback, const Format& format, const Numbers& w) {
  const std::size_t n_rows = w.size() / feedback.n_cols();
  Bytes bytes(n_rows * format.row_bytes(feedback.n_cols()));
  feedback.quantize_rows(format, w.data(), bytes.data(), n_rows);
  return bytes;
}

Numbers decoded(const Format& format, const Bytes& bytes, std::size_t n_cols) {
  const std::size_t n_rows = bytes.size() / format.row_bytes(n_cols);
  Numbers back(n_rows * n_cols);
  decode_rows(format, bytes.data(), n_rows, n_cols, back.data());
  return back;
}

Bytes rounded_plainly(const Feedback& feedback, const Format& format, const Numbers& w) {
  const std::size_t n_rows = w.size() / feedback.n_cols();
  Bytes bytes(n_rows * format.row_bytes(feedback.n_cols()));
  quantize_rows(format, w.data(), feedback.importance().data(), bytes.data(), n_rows, feedback.n_cols());
  return bytes;
}

/// Σ d·H·dᵀ, as it is written.
double cost(const Numbers& h, const Numbers& w, const Numbers& back) {
  const auto n = static_cast<std::size_t>(std::sqrt(h.size()));
  double sum = 0;
  for (std::size_t r = 0; r < w.size(); r += n)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        sum += (static_cast<double>(w[r + i]) - back[r + i]) * h[i * n + j] *
               (static_cast<double>(w[r + j]) - back[r + j]);
  return sum;
}

// --- a format of one number of one byte per block, whose scale is given --------------------------

constexpr float kEightIntegers[] = {-3, -2, -1, 0, 1, 2, 3, 4};

/// Blocks of 16 integers −3 … 4, without parameters.
void store_nothing(float* scale, float* offset, std::uint8_t*) noexcept {
  *scale = 1;
  *offset = 0;
}
void store_bytes(const std::uint8_t* codes, std::uint8_t* block) noexcept {
  std::copy_n(codes, 16, block);
}
void load_bytes(const std::uint8_t* block, float* scale, float* offset, std::uint8_t* codes) noexcept {
  store_nothing(scale, offset, nullptr);
  std::copy_n(block, 16, codes);
}
void decode_integers(const std::uint8_t* src, float* dst, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) dst[i] = kEightIntegers[src[i]];
}
constexpr Grid kIntegerGrid{.n_groups = 1,
                            .levels = kEightIntegers,
                            .uniform = true,
                            .scale_sign = Grid::Sign::any,
                            .has_offset = false,
                            .offset_sign = Grid::Sign::any,
                            .store_parameters = store_nothing,
                            .store_codes = store_bytes,
                            .load = load_bytes};
constexpr Format kIntegersFormat{.name = "integers",
                                 .gguf_type = kNoGgufType,
                                 .block_size = 16,
                                 .block_bytes = 16,
                                 .summary = "",
                                 .decode = decode_integers,
                                 .encode_plain = nullptr,
                                 .grid = &kIntegerGrid,
                                 .defect = nullptr,
                                 .any_length = true};

TEST(Feedback, FindsTheOptimumOfAWorkedExample) {
  const Numbers h = {2, 1, .5, 1, 2, 1, .5, 1, 2};
  const Numbers w = {.45F, .45F, .45F};
  const Feedback feedback = feedback_of(h, {.damping = 0});
  const Numbers back = decoded(kIntegersFormat, rounded(feedback, kIntegersFormat, w), 3);
  EXPECT_EQ(back, (Numbers{0, 1, 0}));
  EXPECT_NEAR(feedback.error(w.data(), back.data(), 1), 2 * .31375, 1e-6);
  const Numbers zeros(3, 0.0F);
  EXPECT_NEAR(feedback.error(w.data(), zeros.data(), 1), 2 * 1.11375, 1e-6);
}

TEST(Feedback, ErrorIsTheQuadraticForm) {
  for (const std::size_t n : {1U, 3U, 4U, 37U}) {
    Numbers h = autoregressive(n, 0.7);
    for (float& x : h) x *= 3e7F;
    const Numbers w = normal_numbers(1, 41 * n);
    const Numbers back = normal_numbers(2, 41 * n);
    const double expected = cost(h, w, back);
    EXPECT_NEAR(feedback_of(h).error(w.data(), back.data(), 41), expected, 1e-5 * expected);
  }
}

TEST(Feedback, RefusesWhatIsNotFinite) {
  Numbers h = autoregressive(4, 0.5);
  h[6] = std::numeric_limits<float>::quiet_NaN();
  const auto feedback = Feedback::make(h, 4, {});
  ASSERT_FALSE(feedback);
  EXPECT_EQ(feedback.error().kind, ErrorKind::numeric);
}

// --- every writable format -----------------------------------------------------------------------

std::vector<const Format*> writable_formats() {
  std::vector<const Format*> formats;
  for (const Format* format : all_formats())
    if (format->writable()) formats.push_back(format);
  return formats;
}

class FeedbackOn : public testing::TestWithParam<const Format*> {};

TEST_P(FeedbackOn, CostsNoMoreThanRoundingPlainly) {
  const Format& format = *GetParam();
  const std::size_t n = format.any_length ? 300 : 512;
  const Numbers h = autoregressive(n, 0.9);
  const Feedback feedback = feedback_of(h);
  const Numbers w = normal_numbers(3, 5 * n);
  const Numbers found = decoded(format, rounded(feedback, format, w), n);
  const Numbers plain = decoded(format, rounded_plainly(feedback, format, w), n);
  for (std::size_t r = 0; r < 5; ++r) {
    const Numbers row(&w[r * n], &w[r * n] + n);
    const double most = cost(h, row, Numbers(&plain[r * n], &plain[r * n] + n));
    EXPECT_LE(cost(h, row, Numbers(&found[r * n], &found[r * n] + n)), most * (1 + 1e-5)) << r;
  }
}

TEST_P(FeedbackOn, RowsDoNotKnowOfEachOther) {
  const Format& format = *GetParam();
  const std::size_t n = format.any_length ? 84 : 256;
  const Feedback feedback = feedback_of(autoregressive(n, 0.9));
  const Numbers w = normal_numbers(4, 35 * n);
  const Bytes together = rounded(feedback, format, w);
  const std::size_t row_bytes = format.row_bytes(n);
  for (const std::size_t r : {0U, 7U, 31U, 32U, 34U}) {
    Bytes alone(row_bytes);
    feedback.quantize_rows(format, &w[r * n], alone.data(), 1);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), &together[r * row_bytes])) << r;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FeedbackOn, testing::ValuesIn(writable_formats()), [](const auto& info) {
  std::string name(info.param->name);
  std::replace(name.begin(), name.end(), '.', 'p');
  return name;
});

}  // namespace
}  // namespace kerf

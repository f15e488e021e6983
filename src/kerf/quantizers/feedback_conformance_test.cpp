// Holds error feedback to its contract for every writable format.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kerf/quantizers/feedback_for_tests.h"

namespace kerf {
namespace {

class FeedbackOn : public testing::TestWithParam<const Format*> {
 protected:
  /// Columns: not whole blocks or cells where the format can do without.
  static std::size_t length(const Format& format) { return format.any_length ? 300 : 512; }
};

const Feedback& correlated(std::size_t n, int refinements) {
  static std::map<std::pair<std::size_t, int>, Feedback> made;
  const auto key = std::pair(n, refinements);
  if (!made.contains(key))
    made.emplace(key, feedback_of(autoregressive(n, 0.9), {.refinements = refinements}));
  return made.at(key);
}

const char* defect_of(const Format& format, const FormatBytes& bytes, std::size_t n_cols) {
  const std::size_t row_bytes = format.row_bytes(n_cols);
  for (std::size_t row = 0; row < bytes.size(); row += row_bytes) {
    if (format.header_defect != nullptr)
      if (const char* defect = format.header_defect(&bytes[row])) return defect;
    if (format.defect != nullptr)
      for (std::size_t at = row + format.header_bytes; at < row + row_bytes; at += format.block_bytes)
        if (const char* defect = format.defect(&bytes[at])) return defect;
  }
  return nullptr;
}

/// Rounds w and checks each row against rounding plainly; returns the ratio of all costs.
double checked_ratio(const Format& format, const Numbers& h, const Feedback& feedback, const Numbers& w) {
  const std::size_t n = feedback.n_cols();
  const FormatBytes bytes = rounded(feedback, format, w);
  EXPECT_EQ(defect_of(format, bytes, n), nullptr);
  const Numbers back = decoded(format, bytes, n);
  EXPECT_TRUE(std::all_of(back.begin(), back.end(), [](float x) { return std::isfinite(x); }));
  const std::vector<double> found = costs(h, w, back);
  const std::vector<double> plain = costs(h, w, decoded(format, rounded_plainly(feedback, format, w), n));
  double scale = 0;  // of rounding errors in costs
  for (std::size_t i = 0; i < n; ++i) scale += h[i * n + i];
  double largest = 0;
  for (const float x : w) largest = std::max(largest, std::fabs(static_cast<double>(x)));
  for (std::size_t r = 0; r < found.size(); ++r)
    EXPECT_LE(found[r], plain[r] * (1 + 1e-5) + 1e-12 * scale * largest * largest) << "row " << r;
  return sum_of(found) / sum_of(plain);
}

TEST_P(FeedbackOn, CostsLessThanRoundingPlainly) {
  const Format& format = *GetParam();
  const std::size_t n = length(format);
  const Numbers h = autoregressive(n, 0.9);
  const Numbers w = normal_numbers(3, 6 * n);
  const double walked = checked_ratio(format, h, correlated(n, 0), w);
  const double refined = checked_ratio(format, h, correlated(n, 1), w);
  if (format.bits_per_weight() >= 32) return;
  EXPECT_LT(walked, 0.75);
  // By and large; where refinement finds nothing, damping may make a difference.
  EXPECT_LT(refined, 1.05 * walked);
}

TEST_P(FeedbackOn, RowsDoNotKnowOfEachOther) {
  const Format& format = *GetParam();
  const std::size_t n = format.any_length ? 84 : 256;
  Numbers w = normal_numbers(4, 35 * n);
  std::fill_n(&w[7 * n], n, 0.0F);
  for (std::size_t i = 0; i < n; ++i) w[31 * n + i] *= 1e6F;
  const FormatBytes together = rounded(correlated(n, 1), format, w);
  const std::size_t row_bytes = format.row_bytes(n);
  for (const std::size_t r : {0U, 7U, 31U, 32U, 34U}) {
    FormatBytes alone(row_bytes);
    correlated(n, 1).quantize_rows(format, &w[r * n], alone.data(), 1);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), &together[r * row_bytes])) << r;
  }
}

TEST_P(FeedbackOn, TakesMomentsOfFewTokensOfNoneAndDeadColumns) {
  const Format& format = *GetParam();
  const std::size_t n = format.any_length ? 40 : 256;
  const Numbers w = normal_numbers(5, 2 * n);
  const Numbers tokens = normal_numbers(6, 3 * n);
  Numbers h(n * n, 0.0F);
  checked_ratio(format, h, feedback_of(h), w);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t t = 0; t < 3; ++t)
        if (i % 5 != 0 && j % 5 != 0) h[i * n + j] += 1e8F * tokens[t * n + i] * tokens[t * n + j];
  checked_ratio(format, h, feedback_of(h), w);
  checked_ratio(format, h, feedback_of(h, {.damping = 0, .act_order = true, .refinements = 2}), w);
}

TEST_P(FeedbackOn, SurvivesExtremes) {
  const Format& format = *GetParam();
  const std::size_t n = format.any_length ? 40 : 256;
  const Numbers h = autoregressive(n, 0.9);
  const Numbers shape = normal_numbers(7, 2 * n);
  for (const float size : {0.0F, 1e-42F, 1e-20F, 1e-4F, 1e4F, 1e18F, 3e37F}) {
    if (size > 1e4F && format.name == "F16") continue;  // of which it makes infinities
    Numbers w = shape;
    for (float& x : w) x *= size;
    checked_ratio(format, h, correlated(n, 1), w);
  }
}

TEST_P(FeedbackOn, TakesRowsOfAnyLength) {
  const Format& format = *GetParam();
  if (!format.any_length) return;
  for (const std::size_t n : {1U, 2U, 7U, 17U, 33U}) {
    const Numbers h = autoregressive(n, 0.9);
    checked_ratio(format, h, correlated(n, 1), normal_numbers(8, 3 * n));
  }
}

INSTANTIATE_TEST_SUITE_P(All, FeedbackOn, testing::ValuesIn([] {
                           std::vector<const Format*> formats;
                           for (const Format* format : all_formats())
                             if (format->writable()) formats.push_back(format);
                           return formats;
                         }()),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           std::replace(name.begin(), name.end(), '.', 'p');
                           return name;
                         });

}  // namespace
}  // namespace kerf

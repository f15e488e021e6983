#include "kerf/methods/learned_rounding.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <set>
#include <string>

#include "kerf/base/rng.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

constexpr std::size_t kRows = 6, kCols = 512;

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(0.1 * rng.normal());
  return values;
}

std::vector<std::uint8_t> rounded(const Format& format, const std::vector<float>& w) {
  std::vector<std::uint8_t> bytes(format.row_bytes(kCols) * kRows);
  quantize_rows(format, w.data(), nullptr, bytes.data(), kRows, kCols);
  return bytes;
}

std::vector<float> decoded(const Format& format, const std::vector<std::uint8_t>& bytes) {
  std::vector<float> w(kRows * kCols);
  decode_rows(format, bytes.data(), kRows, kCols, w.data());
  return w;
}

/// ½ Σ over rows of (d·x)² for a few inputs x of length K, d = ŵ − w: an error that only its inputs see.
struct Outputs {
  static constexpr std::size_t kInputs = 40;
  std::vector<float> x = normals(kInputs * kCols, 77);

  double loss(const std::vector<float>& w, const std::vector<float>& back,
              std::vector<float>* gradient) const {
    if (gradient != nullptr) gradient->assign(w.size(), 0.0F);
    double sum = 0;
    for (std::size_t r = 0; r < kRows; ++r)
      for (std::size_t i = 0; i < kInputs; ++i) {
        double y = 0;
        for (std::size_t k = 0; k < kCols; ++k)
          y += (double{back[r * kCols + k]} - double{w[r * kCols + k]}) * x[i * kCols + k];
        sum += 0.5 * y * y;
        for (std::size_t k = 0; gradient != nullptr && k < kCols; ++k)
          (*gradient)[r * kCols + k] += static_cast<float>(y) * x[i * kCols + k];
      }
    return sum;
  }
};

class LearnableFormats : public ::testing::TestWithParam<const Format*> {};

TEST_P(LearnableFormats, NoStepKeepsTheBytes) {
  const Format& format = *GetParam();
  const auto w = normals(kRows * kCols, 1);
  auto bytes = rounded(format, w);
  const auto before = bytes;
  ThreadPool pool(1);
  for (const float* start : {w.data(), static_cast<const float*>(nullptr)}) {
    LearnedWeight learned(format, bytes.data(), start, kRows, kCols,
                          {.momentum = 0, .momentum_of_squares = 0}, pool);
    learned.step(normals(kRows * kCols, 2).data(), {}, pool);
    EXPECT_EQ(decoded(format, bytes), decoded(format, before)) << format.name;
  }
}

TEST_P(LearnableFormats, OutputsGetBetter) {
  const Format& format = *GetParam();
  const auto w = normals(kRows * kCols, 1);
  const Outputs outputs;
  auto bytes = rounded(format, w);
  std::vector<float> gradient;
  const double before = outputs.loss(w, decoded(format, bytes), nullptr);
  ThreadPool pool(2);
  LearnedWeight learned(format, bytes.data(), w.data(), kRows, kCols,
                        {.momentum = 0, .momentum_of_squares = 0, .lean = 1.0F}, pool);
  double best = before;
  for (int i = 0; i < 60; ++i) {
    best = std::min(best, outputs.loss(w, decoded(format, bytes), &gradient));
    const float rate = 0.04F * static_cast<float>(60 - i) / 60;
    learned.step(gradient.data(), {rate, rate, 0.5F * rate}, pool);
  }
  // Two levels and a sign have little to choose from.
  const std::size_t n_levels =
      (format.row_scale != nullptr ? *format.row_scale->inner : format).grid->levels.size();
  EXPECT_LT(best, (n_levels > 3 ? 0.55 : 0.8) * before) << format.name;
}

TEST_P(LearnableFormats, ThreadsChangeNothing) {
  const Format& format = *GetParam();
  const auto w = normals(kRows * kCols, 1), gradient = normals(kRows * kCols, 3);
  std::vector<std::vector<std::uint8_t>> results;
  for (const unsigned n_threads : {1U, 3U}) {
    ThreadPool pool(n_threads);
    auto bytes = rounded(format, w);
    LearnedWeight learned(format, bytes.data(), w.data(), kRows, kCols, {}, pool);
    for (int i = 0; i < 3; ++i) learned.step(gradient.data(), {0.3F, 0.01F, 0.01F}, pool);
    EXPECT_NE(bytes, rounded(format, w)) << format.name;
    results.push_back(bytes);
  }
  EXPECT_EQ(results[0], results[1]) << format.name;
}

/// The first of each family.
std::vector<const Format*> learnable() {
  std::vector<const Format*> list;
  std::set<std::string_view> families;
  for (const Format* format : all_formats())
    if (LearnedWeight::can_learn(*format) && format->fits(kCols) &&
        (format->family.empty() || families.insert(format->family).second))
      list.push_back(format);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Formats, LearnableFormats, ::testing::ValuesIn(learnable()), [](const auto& param) {
  std::string name(param.param->name);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
});

TEST(LearnedWeight, StepsAreAdams) {
  // One Q4_0 block of scale 1: v moves by rate · m̂/√û, codes follow at the halves.
  std::vector<float> w(32, 2.0F);
  w[0] = -8.0F;
  std::vector<std::uint8_t> bytes(18);
  quantize_row(formats::q4_0, w.data(), nullptr, bytes.data(), 32);
  ThreadPool pool(1);
  LearnedWeight learned(formats::q4_0, bytes.data(), w.data(), 1, 32, {}, pool);
  std::vector<float> gradient(32);
  gradient[5] = -3.0F;  // wants to grow
  gradient[6] = 1e-6F;  // wants to shrink, however little
  std::vector<float> back(32);
  // With a steady gradient each step is the whole rate: 0.2, 0.4, then beyond the half.
  for (const float expected : {2.0F, 2.0F, 3.0F}) {
    learned.step(gradient.data(), {.levels = 0.2F}, pool);
    formats::q4_0.decode(bytes.data(), back.data(), 32);
    EXPECT_EQ(back[5], expected);
    EXPECT_EQ(back[6], 4.0F - expected);
    EXPECT_EQ(back[7], 2.0F);
  }
}

}  // namespace
}  // namespace kerf

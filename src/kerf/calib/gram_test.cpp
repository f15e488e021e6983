// Moments against sums in double, one token after the other.
#include "kerf/calib/gram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kerf/base/rng.h"

namespace kerf {
namespace {

struct Inputs {
  std::size_t n_tokens, n_columns;
  std::vector<float> x, weights;
};

Inputs correlated(std::size_t n_tokens, std::size_t n_columns) {
  Inputs in{n_tokens, n_columns, {}, {}};
  Rng rng(n_tokens + n_columns);
  for (std::size_t t = 0; t < n_tokens; ++t) {
    double last = 0;
    for (std::size_t c = 0; c < n_columns; ++c) {
      last = 0.8 * last + rng.normal() + 0.3;
      in.x.push_back(static_cast<float>(last));
    }
    in.weights.push_back(static_cast<float>(std::exp(2 * rng.normal())));
  }
  return in;
}

/// Fed in two batches.
Gram gram_of(const Inputs& in, bool weighted, unsigned n_threads) {
  ThreadPool pool(n_threads);
  Gram gram(in.n_columns, Gram::Moments::full);
  const std::size_t half = in.n_tokens / 3;
  const float* w = weighted ? in.weights.data() : nullptr;
  EXPECT_TRUE(gram.add(in.x.data(), half, w, pool));
  EXPECT_TRUE(
      gram.add(in.x.data() + half * in.n_columns, in.n_tokens - half, weighted ? w + half : nullptr, pool));
  return gram;
}

TEST(Gram, SecondMomentsAreThoseOfTheDefinition) {
  ThreadPool pool(1);
  for (const bool weighted : {false, true})
    for (const std::size_t n_columns : {1, 7, 96, 97, 250}) {
      const Inputs in = correlated(65, n_columns);
      Gram gram = gram_of(in, weighted, 2);
      const auto h = gram.second_moments(pool);
      double total = 0;
      for (const float w : in.weights) total += weighted ? w : 1.0F;
      for (std::size_t i = 0; i < n_columns; ++i)
        for (std::size_t j = 0; j < n_columns; ++j) {
          double sum = 0, size = 0;
          for (std::size_t t = 0; t < in.n_tokens; ++t) {
            const double part = static_cast<double>(in.x[t * n_columns + i]) * in.x[t * n_columns + j] *
                                (weighted ? in.weights[t] : 1.0F);
            sum += part;
            size += std::fabs(part);
          }
          ASSERT_NEAR(h[i * n_columns + j], sum / total, 1e-6 * size / total)
              << n_columns << " " << i << " " << j;
        }
      for (std::size_t i = 0; i < n_columns; ++i)
        ASSERT_NEAR(gram.mean_square()[i], h[i * n_columns + i], 1e-5 * h[i * n_columns + i]);
    }
}

TEST(Gram, ColumnsAloneKnowMeansAndMaxima) {
  ThreadPool pool(2);
  Gram gram(2, Gram::Moments::diagonal);
  const std::vector<float> x = {1, -8, 3, 4, -1, 1};
  ASSERT_TRUE(gram.add(x.data(), 3, nullptr, pool));
  EXPECT_EQ(gram.mean(), (std::vector<float>{1, -1}));
  EXPECT_EQ(gram.mean_magnitude(), (std::vector<float>{5.0F / 3, 13.0F / 3}));
  EXPECT_EQ(gram.largest_magnitude(), (std::vector<float>{3, 8}));
  EXPECT_EQ(gram.mean_square(), (std::vector<float>{11.0F / 3, 27}));
  EXPECT_EQ(gram.n_tokens(), 3U);
}

TEST(Gram, DividedColumnsAreThoseOfDividedInputs) {
  Inputs in = correlated(65, 97);
  std::vector<float> factors;
  for (std::size_t c = 0; c < in.n_columns; ++c) factors.push_back(std::exp2(static_cast<float>(c % 5) - 2));
  Gram divided = gram_of(in, true, 1);
  divided.divide_columns(factors);
  for (std::size_t i = 0; i < in.x.size(); ++i) in.x[i] /= factors[i % in.n_columns];
  Gram expected = gram_of(in, true, 1);
  ThreadPool pool(1);
  const auto a = divided.second_moments(pool), b = expected.second_moments(pool);
  // Factors that are powers of two round nothing.
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
  EXPECT_EQ(divided.mean_square(), expected.mean_square());
  EXPECT_EQ(divided.mean_magnitude(), expected.mean_magnitude());
  EXPECT_EQ(divided.largest_magnitude(), expected.largest_magnitude());
}

TEST(Gram, ThreadsChangeNothing) {
  const Inputs in = correlated(130, 200);
  ThreadPool pool(1);
  Gram one = gram_of(in, true, 1), four = gram_of(in, true, 4);
  const auto a = one.second_moments(pool), b = four.second_moments(pool);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
  EXPECT_EQ(one.mean_square(), four.mean_square());
}

TEST(Gram, NamesTheActivationThatIsNotANumber) {
  ThreadPool pool(1);
  Gram gram(3, Gram::Moments::full);
  std::vector<float> x(12, 1.0F);
  x[7] = std::numeric_limits<float>::quiet_NaN();
  const auto status = gram.add(x.data(), 4, nullptr, pool);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::numeric);
  EXPECT_NE(status.error().what.find("NaN (token 2, channel 1)"), std::string::npos) << status.error().what;
  EXPECT_EQ(gram.n_tokens(), 0U);
  EXPECT_EQ(gram.mean_square(), std::vector<float>(3));
}

}  // namespace
}  // namespace kerf

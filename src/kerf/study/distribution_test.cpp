// Samples are what they are said to be, and the bounds are those of their distributions.
#include "kerf/study/distribution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <numbers>

#include "kerf/study/study_for_tests.h"

namespace kerf::study {
namespace {

constexpr double kPi = std::numbers::pi;

TEST(Distribution, SamplesHaveTheMomentsOfTheirName) {
  struct Case {
    const char* name;
    double nu;
    double kurtosis, tolerance;
  };
  for (const Case& c : {Case{"gaussian", 5, 3, 0.05}, Case{"laplace", 5, 6, 0.3},
                        Case{"uniform", 5, 1.8, 0.01}, Case{"student-t", 12, 3.75, 0.15}}) {
    std::vector<float> x(1 << 20);
    for (std::size_t row = 0; row < 256; ++row)
      distribution(c.name, c.nu).fill(7, row, x.data() + row * 4096, 4096);
    double sum = 0, square = 0, fourth = 0;
    for (const float v : x) {
      sum += v;
      square += static_cast<double>(v) * v;
      fourth += std::pow(static_cast<double>(v), 4);
    }
    const auto n = static_cast<double>(x.size());
    EXPECT_NEAR(sum / n, 0, 0.005) << c.name;
    EXPECT_NEAR(square / n, 1, 0.01) << c.name;
    EXPECT_NEAR(fourth / n, c.kurtosis, c.tolerance) << c.name;
  }
}

TEST(Distribution, RowsSeedsAndSourcesDiffer) {
  float a[8], b[8];
  distribution("gaussian").fill(1, 0, a, 8);
  distribution("gaussian").fill(1, 0, b, 8);
  EXPECT_EQ(std::memcmp(a, b, sizeof a), 0);
  distribution("gaussian").fill(1, 1, b, 8);
  EXPECT_NE(a[0], b[0]);
  distribution("gaussian").fill(2, 0, b, 8);
  EXPECT_NE(a[0], b[0]);
}

/// −∫ f ln f by the trapezium rule, far into the tails.
double entropy_by_quadrature(const std::function<double(double)>& density, double limit) {
  double sum = 0;
  const double step = limit / 400000;
  for (double x = -limit; x <= limit; x += step)
    if (const double f = density(x); f > 0) sum -= f * std::log(f) * step;
  return sum;
}

TEST(Distribution, EntropiesAndBounds) {
  EXPECT_NEAR(distribution("gaussian").entropy(), 0.5 * std::log(2 * kPi * std::numbers::e), 1e-12);
  const double b = std::sqrt(0.5);
  EXPECT_NEAR(distribution("laplace").entropy(),
              entropy_by_quadrature([&](double x) { return std::exp(-std::fabs(x) / b) / (2 * b); }, 40),
              1e-4);
  for (const double nu : {2.5, 5.0, 30.0}) {
    const double scale = std::sqrt((nu - 2) / nu);
    const auto density = [&](double x) {
      const double t = x / scale;
      return std::tgamma((nu + 1) / 2) / (std::sqrt(nu * kPi) * std::tgamma(nu / 2)) *
             std::pow(1 + t * t / nu, -(nu + 1) / 2) / scale;
    };
    EXPECT_NEAR(distribution("student-t", nu).entropy(), entropy_by_quadrature(density, nu < 3 ? 4000 : 400),
                2e-3);
  }
  EXPECT_NEAR(distribution("gaussian").bound_db(1), 6.0206, 1e-4);
  EXPECT_NEAR(distribution("gaussian").bound_db(2), 10 * std::log10(16.0), 1e-9) << "D(2) = 1/16";
  // Of all sources of one variance the Gaussian is the hardest; a uniform one gains 10 log₁₀(πe/6).
  EXPECT_NEAR(distribution("uniform").bound_db(0), 10 * std::log10(kPi * std::numbers::e / 6), 1e-9);
  for (const std::string_view name : Distribution::names())
    EXPECT_GE(distribution(name).bound_db(0), 0) << name;
}

TEST(Distribution, BadNames) {
  const auto unknown = Distribution::make("cauchy");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::usage);
  EXPECT_EQ(unknown.error().message(),
            "--source: there is no distribution «cauchy»; there are gaussian, laplace, uniform, student-t");
  for (const double nu : {2.0, -1.0, 1e9, std::nan("")})
    EXPECT_FALSE(Distribution::make("student-t", nu)) << nu;
}

}  // namespace
}  // namespace kerf::study

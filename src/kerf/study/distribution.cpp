#include "kerf/study/distribution.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <numbers>

#include "kerf/base/rng.h"

namespace kerf::study {
namespace {

using Kind = Distribution::Kind;

struct Known {
  Kind kind;
  std::string_view name;
  std::string_view title;
};
constexpr std::array<Known, 4> kKnown = {{{Kind::gaussian, "gaussian", "Gaussian"},
                                          {Kind::laplace, "laplace", "Laplace"},
                                          {Kind::uniform, "uniform", "Uniform"},
                                          {Kind::student_t, "student-t", "Student-t"}}};

constexpr double kPi = std::numbers::pi;
constexpr double kGaussianEntropy = 1.4189385332046727;  // ½ ln(2πe)

/// ψ(x) for x > 0: recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18).
double digamma(double x) {
  double sum = 0;
  for (; x < 10; ++x) sum -= 1 / x;
  const double r = 1 / (x * x);
  return sum + std::log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r / 240)));
}

/// Of Student's t scaled to variance 1.
double student_entropy(double nu) {
  const double half = nu / 2;
  const double log_beta = std::lgamma(half) + std::lgamma(0.5) - std::lgamma(half + 0.5);
  return (nu + 1) / 2 * (digamma(half + 0.5) - digamma(half)) + 0.5 * std::log(nu) + log_beta +
         0.5 * std::log((nu - 2) / nu);
}

double entropy_of(Kind kind, double nu) {
  switch (kind) {
    case Kind::gaussian:
      return kGaussianEntropy;
    case Kind::laplace:
      return 1 + 0.5 * std::log(2.0);  // 1 + ln 2b with b = 1/√2
    case Kind::uniform:
      return 0.5 * std::log(12.0);
    case Kind::student_t:
      return student_entropy(nu);
  }
  return 0;
}

double laplace(Rng& rng) {
  const double u = rng.uniform();
  const double magnitude = -std::log(1 - rng.uniform()) / std::numbers::sqrt2;
  return u < 0.5 ? -magnitude : magnitude;
}

/// Bailey (1994), «Polar generation of random variates with the t-distribution», scaled to variance 1.
double student(Rng& rng, double nu) {
  const double u = 1 - rng.uniform();
  const double radius = std::sqrt((nu - 2) * std::expm1(-2 / nu * std::log(u)));
  return radius * std::cos(2 * kPi * rng.uniform());
}

}  // namespace

const std::vector<std::string_view>& Distribution::names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> out;
    for (const Known& known : kKnown) out.push_back(known.name);
    return out;
  }();
  return names;
}

Result<Distribution> Distribution::make(std::string_view name, double nu) {
  for (const Known& known : kKnown) {
    if (known.name != name) continue;
    if (known.kind == Kind::student_t && !(nu > 2 && nu <= 1e6))
      return fail(ErrorKind::usage, "--nu",
                  fmt::format("{} degrees of freedom: Student's t has a finite variance only above 2; kerf "
                              "takes up to a million",
                              nu));
    Distribution out;
    out.kind_ = known.kind;
    out.name_ = known.name;
    out.title_ = known.kind == Kind::student_t ? fmt::format("{}, ν = {}", known.title, nu) : known.title;
    out.nu_ = nu;
    out.entropy_ = entropy_of(known.kind, nu);
    return out;
  }
  return fail(ErrorKind::usage, "--source",
              fmt::format("there is no distribution «{}»; there are {}", name, fmt::join(names(), ", ")));
}

void Distribution::fill(std::uint64_t seed, std::uint64_t row, float* dst, std::size_t n) const {
  Rng rng(mix64(seed) ^ mix64(row * kKnown.size() + static_cast<std::uint64_t>(kind_)));
  for (std::size_t i = 0; i < n; ++i) {
    double x = 0;
    switch (kind_) {
      case Kind::gaussian:
        x = rng.normal();
        break;
      case Kind::laplace:
        x = laplace(rng);
        break;
      case Kind::uniform:
        x = std::sqrt(12.0) * (rng.uniform() - 0.5);
        break;
      case Kind::student_t:
        x = student(rng, nu_);
        break;
    }
    dst[i] = static_cast<float>(x);
  }
}

double Distribution::bound_db(double bits) const noexcept {
  return gaussian_bound_db(bits) + 20 / std::numbers::ln10 * (kGaussianEntropy - entropy_);
}

double gaussian_bound_db(double bits) noexcept {
  return 20 * std::numbers::ln2 / std::numbers::ln10 * bits;
}

}  // namespace kerf::study

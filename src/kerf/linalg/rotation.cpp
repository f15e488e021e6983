#include "kerf/linalg/rotation.h"

#include <cmath>

#include "kerf/base/check.h"
#include "kerf/base/rng.h"

namespace kerf {
namespace {

/// Orthonormal rows from normal numbers, by Gram and Schmidt, twice for the sake of rounding.
std::vector<double> random_orthogonal(std::size_t n, Rng& rng) {
  std::vector<double> q(n * n);
  for (double& value : q) value = rng.normal();
  for (std::size_t i = 0; i < n; ++i) {
    double* const row = q.data() + i * n;
    for (std::size_t j = 0; j < 2 * i; ++j) {
      const double* const other = q.data() + (j % i) * n;
      double dot = 0;
      for (std::size_t k = 0; k < n; ++k) dot += row[k] * other[k];
      for (std::size_t k = 0; k < n; ++k) row[k] -= dot * other[k];
    }
    double squares = 0;
    for (std::size_t k = 0; k < n; ++k) squares += row[k] * row[k];
    for (std::size_t k = 0; k < n; ++k) row[k] /= std::sqrt(squares);
  }
  return q;
}

/// Walsh and Hadamard's transform of n = 2^a numbers, without its factor 1/√n.
void hadamard(double* x, std::size_t n) {
  for (std::size_t half = 1; half < n; half *= 2)
    for (std::size_t begin = 0; begin < n; begin += 2 * half)
      for (std::size_t i = begin; i < begin + half; ++i) {
        const double a = x[i], b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
}

}  // namespace

Rotation::Rotation(std::size_t n, std::uint64_t seed) : signs_(n) {
  KERF_CHECK(n > 0);
  while (n % (2 * power_) == 0) power_ *= 2;
  rest_ = n / power_;
  Rng rng(seed);
  const double scale = 1.0 / std::sqrt(static_cast<double>(power_));
  for (double& sign : signs_) sign = (rng.next() & 1) != 0 ? scale : -scale;
  mixer_ = rest_ > 1 ? random_orthogonal(rest_, rng) : std::vector<double>{1.0};
}

void Rotation::apply(double* x) const {
  for (std::size_t i = 0; i < signs_.size(); ++i) x[i] *= signs_[i];
  for (std::size_t j = 0; j < rest_; ++j) hadamard(x + j * power_, power_);
  if (rest_ > 1) mix(x);
}

/// x seen as [rest, power]: each column is multiplied by the mixer.
void Rotation::mix(double* x) const {
  std::vector<double> column(rest_);
  for (std::size_t k = 0; k < power_; ++k) {
    for (std::size_t j = 0; j < rest_; ++j) column[j] = x[j * power_ + k];
    for (std::size_t j = 0; j < rest_; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < rest_; ++i) sum += column[i] * mixer_[i * rest_ + j];
      x[j * power_ + k] = sum;
    }
  }
}

}  // namespace kerf

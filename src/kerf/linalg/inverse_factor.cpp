#include "kerf/linalg/inverse_factor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/check.h"

extern "C" {
void dpotrf_(const char* triangle, const int* n, double* a, const int* stride, int* status);
void dtrtri_(const char* triangle, const char* diagonal, const int* n, double* a, const int* stride,
             int* status);
void dpotri_(const char* triangle, const int* n, double* a, const int* stride, int* status);
}

namespace kerf {
namespace {

/// What the diagonal says before anything is factored.
struct Diagonal {
  double mean = 0;  ///< over the columns that are alive; 1 if none is
  std::size_t n_dead = 0;
};

template <class T>
Diagonal diagonal_of(std::span<const T> h, std::size_t n) {
  Diagonal diagonal;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double value = h[i * n + i];
    if (value > 0)
      sum += value;
    else
      ++diagonal.n_dead;
  }
  const auto alive = static_cast<double>(n - diagonal.n_dead);
  diagonal.mean = sum > 0 ? sum / alive : 1.0;
  return diagonal;
}

/// J·(H + λ·I)·J in units of the mean of the diagonal. Reversing rows and columns reverses the array; LAPACK
/// counts by columns, so that row-major upper triangles are its lower ones: h's lower triangle goes there.
template <class T>
void load_reversed(std::span<const T> h, std::size_t n, const Diagonal& diagonal, double damping,
                   std::vector<double>& a) {
  a.assign(n * n, 0.0);
  const double unit = 1.0 / diagonal.mean;
  for (std::size_t i = 0; i < n; ++i) {
    const bool dead = !(h[i * n + i] > 0);
    double* reversed = &a[(n - 1 - i) * n + n - 1];
    for (std::size_t j = 0; j < i && !dead; ++j)
      if (h[j * n + j] > 0)
        reversed[-static_cast<std::ptrdiff_t>(j)] = static_cast<double>(h[i * n + j]) * unit;
    reversed[-static_cast<std::ptrdiff_t>(i)] =
        (dead ? 1.0 : static_cast<double>(h[i * n + i]) * unit) + damping;
  }
}

/// a becomes the inverse of its Cholesky factor; false if it is not positive definite.
bool invert_factor(std::vector<double>& a, std::size_t n) {
  const int size = static_cast<int>(n);
  int status = 0;
  dpotrf_("L", &size, a.data(), &size, &status);
  if (status != 0) return false;
  dtrtri_("L", "N", &size, a.data(), &size, &status);
  // Rounding can leave a positive pivot that is as good as none.
  const auto sound = [](double value) { return std::fabs(value) < 1e18; };
  return status == 0 && std::all_of(a.begin(), a.end(), sound);
}

/// The reversal of L⁻ᵀ, rounded, in the units of h.
std::vector<float> reversed_back(const std::vector<double>& a, double mean) {
  const double unit = 1.0 / std::sqrt(mean);
  std::vector<float> u(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) u[i] = static_cast<float>(a[a.size() - 1 - i] * unit);
  return u;
}

template <class T>
Result<InverseFactor> factor(std::span<const T> h, std::size_t n, double damping) {
  KERF_CHECK(n > 0 && h.size() == n * n && damping >= 0 && n <= std::numeric_limits<int>::max());
  for (std::size_t i = 0; i < h.size(); ++i)
    if (!std::isfinite(h[i]))
      return fail(
          ErrorKind::numeric, "second moments",
          fmt::format("the product of columns {} and {} is not finite; the calibration text drives the "
                      "model out of range, or the model is damaged",
                      i / n, i % n));
  const Diagonal diagonal = diagonal_of(h, n);
  std::vector<double> a;
  Repair repair = Repair::none;
  for (double part = damping;; part = std::max(2.0 * part, 0.01)) {
    load_reversed(h, n, diagonal, part, a);
    if (invert_factor(a, n))
      return InverseFactor{reversed_back(a, diagonal.mean), part, repair, diagonal.n_dead};
    repair = Repair::damped;
    if (part >= 1.0) break;
  }
  load_reversed(h, n, diagonal, damping, a);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) a[i * n + j] = i == j ? 1.0 / std::sqrt(a[i * n + i]) : 0.0;
  return InverseFactor{reversed_back(a, diagonal.mean), damping, Repair::diagonal, diagonal.n_dead};
}

}  // namespace

Result<InverseFactor> inverse_factor(std::span<const float> h, std::size_t n, double damping) {
  return factor(h, n, damping);
}

Result<InverseFactor> inverse_factor(std::span<const double> h, std::size_t n, double damping) {
  return factor(h, n, damping);
}

std::vector<float> block_inverses(std::span<const float> lower, std::size_t n, std::size_t size) {
  KERF_CHECK(lower.size() == n * n);
  std::vector<float> inverses(n * size, 0.0F);
  std::vector<double> a(size * size);
  for (std::size_t first = 0; first < n; first += size) {
    const std::size_t m = std::min(size, n - first);
    // Row-major lower is LAPACK's upper: Uᵀ·U with U = Lᵀ.
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < m; ++j)
        a[i * m + j] = j <= i ? static_cast<double>(lower[(first + i) * n + first + j]) : 0.0;
    const int order = static_cast<int>(m);
    int status = 0;
    dpotri_("U", &order, a.data(), &order, &status);
    KERF_CHECK(status == 0);
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < m; ++j)
        inverses[(first + i) * size + j] = static_cast<float>(j <= i ? a[i * m + j] : a[j * m + i]);
  }
  return inverses;
}

}  // namespace kerf

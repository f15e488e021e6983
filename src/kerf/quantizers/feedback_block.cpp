#include "kerf/quantizers/feedback_block.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kerf/base/bits.h"
#include "kerf/formats/vector_grid.h"

namespace kerf {
namespace {

constexpr std::size_t kMaxUnit = VectorGrid::kCell;

/// −Σ a over n columns.
KERF_CLONES void negated_sum(const Column* a, std::size_t n, Sums& sum) noexcept {
  sum = {};
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < kPieceRows; ++r) sum[r] -= static_cast<double>(a[j][r]);
}

void negate(Sums& sums) noexcept {
  for (double& value : sums.lane) value = -value;
}

/// Solves the n equations a·x = x for a positive semidefinite a, of which the lower triangle is given, by
/// Cholesky's method. Unknowns that the equations leave open become 0.
void solve(double* a, double* x, std::size_t n) noexcept {
  for (std::size_t j = 0; j < n; ++j) {
    double* row = a + j * n;
    const double least = 1e-7 * row[j];
    for (std::size_t k = 0; k < j; ++k) {
      double sum = row[k];
      for (std::size_t i = 0; i < k; ++i) sum -= row[i] * a[k * n + i];
      row[k] = sum * a[k * n + k];
    }
    double pivot = row[j];
    for (std::size_t k = 0; k < j; ++k) pivot -= row[k] * row[k];
    row[j] = pivot > least ? 1.0 / std::sqrt(pivot) : 0.0;
    double sum = x[j];
    for (std::size_t k = 0; k < j; ++k) sum -= row[k] * x[k];
    x[j] = sum * row[j];
  }
  for (std::size_t j = n; j-- > 0;) {
    for (std::size_t k = j + 1; k < n; ++k) x[j] -= a[k * n + j] * x[k];
    x[j] *= a[j * n + j];
  }
}

/// The inverse of m [n, n], n at most 8, positive definite.
void invert(MatrixView m, std::size_t n, float* inverse) noexcept {
  for (std::size_t c = 0; c < n; ++c) {
    double a[kMaxUnit * kMaxUnit];
    double x[kMaxUnit] = {};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j <= i; ++j) a[i * n + j] = m.at[i * m.stride + j];
    x[c] = 1.0;
    solve(a, x, n);
    for (std::size_t i = 0; i < n; ++i) inverse[c * n + i] = static_cast<float>(x[i]);
  }
}

}  // namespace

BlockRefiner::BlockRefiner(PieceRounder& rounder)
    : rounder_(rounder),
      n_groups_(rounder.n_groups()),
      group_size_(n_groups_ == 0 ? 0 : rounder.block_size() / n_groups_),
      n_parameters_(rounder.has_offset() ? 2 * n_groups_ : n_groups_),
      basis_(rounder.block_size()),
      change_(rounder.block_size()),
      response_(rounder.block_size()),
      matrix_(n_parameters_ * n_parameters_),
      slope_(n_parameters_),
      bytes_(rounder.block_bytes()) {}

void BlockRefiner::refine(const Stretch& stretch, std::size_t begin, std::size_t end) {
  if (n_groups_ > 0)
    refit_parameters(stretch, {.b = (stretch.first + begin) / rounder_.block_size(),
                               .begin = begin,
                               .n = end - begin,
                               .metric = stretch.metric.from(begin, begin),
                               .gradient = stretch.gradient + begin,
                               .back = stretch.back + begin});
  descend(stretch, begin, end);
}

void BlockRefiner::refit_parameters(const Stretch& stretch, const Place& block) {
  gather_equations(block);
  for (std::size_t r = 0; r < kPieceRows; ++r) refit_row(block, r);
  BlockParameters now;
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    rounder_.parameters(block.b, r, now);
    for (std::size_t i = 0; i < block.n; ++i) {
      const std::size_t g = i / group_size_;
      const float value = now.scale[g] * basis_[i][r] + now.offset[g];
      change_[i][r] = value - block.back[i][r];
      block.back[i][r] = value;
    }
  }
  subtract_products(stretch.gradient, stretch.n_columns, change_.data(), block.n,
                    stretch.metric.from(0, block.begin));
}

// With p the parameters and B their effects on the numbers, a change Δp costs Δp·(B·M·Bᵀ)·Δp − 2·Δp·(B·g).
void BlockRefiner::gather_equations(const Place& block) {
  rounder_.basis(block.b, basis_.data());
  const auto begin_of = [&](std::size_t g) { return std::min(block.n, g * group_size_); };
  const auto size_of = [&](std::size_t g) { return begin_of(g + 1) - begin_of(g); };
  for (std::size_t g = 0; g < n_groups_; ++g) {
    const Column* basis = &basis_[begin_of(g)];
    products(basis, block.gradient + begin_of(g), size_of(g), slope_[g]);
    std::fill_n(response_.begin(), block.n, Column{});
    subtract_products(response_.data(), block.n, basis, size_of(g), block.metric.from(0, begin_of(g)));
    for (std::size_t h = 0; h <= g; ++h) {
      products(&response_[begin_of(h)], &basis_[begin_of(h)], size_of(h), matrix(g, h));
      negate(matrix(g, h));
    }
    if (!rounder_.has_offset()) continue;
    const std::size_t offset = n_groups_ + g;
    negated_sum(block.gradient + begin_of(g), size_of(g), slope_[offset]);
    negate(slope_[offset]);
    for (std::size_t h = 0; h < n_groups_; ++h)
      negated_sum(&response_[begin_of(h)], size_of(h), matrix(n_groups_ + h, g));
    for (std::size_t h = 0; h <= g; ++h) {
      double sum = 0;
      for (std::size_t i = begin_of(g); i < begin_of(g + 1); ++i)
        for (std::size_t j = begin_of(h); j < begin_of(h + 1); ++j) sum += *block.metric.from(i, j).at;
      std::fill_n(matrix(offset, n_groups_ + h).lane, kPieceRows, sum);
    }
  }
}

// Rounding may undo the gain: then the row stays as it is.
void BlockRefiner::refit_row(const Place& block, std::size_t row) {
  const std::size_t n = n_parameters_;
  double a[kMaxParameters * kMaxParameters];
  double step[kMaxParameters];
  for (std::size_t p = 0; p < n; ++p) {
    step[p] = slope_[p][row];
    for (std::size_t q = 0; q <= p; ++q) a[p * n + q] = matrix(p, q)[row];
  }
  solve(a, step, n);

  BlockParameters before;
  rounder_.parameters(block.b, row, before);
  BlockParameters after = before;
  for (std::size_t p = 0; p < n; ++p) {
    float& parameter = p < n_groups_ ? after.scale[p] : after.offset[p - n_groups_];
    const double wanted = parameter + step[p];
    if (!(std::fabs(wanted) < 1e30)) return;
    parameter = static_cast<float>(wanted);
  }
  std::copy_n(rounder_.block(block.b, row), bytes_.size(), bytes_.begin());
  rounder_.set_parameters(block.b, row, after);

  double change = 0;
  for (std::size_t p = 0; p < n; ++p) {
    step[p] = p < n_groups_ ? static_cast<double>(after.scale[p]) - before.scale[p]
                            : static_cast<double>(after.offset[p - n_groups_]) - before.offset[p - n_groups_];
    change += step[p] * (matrix(p, p)[row] * step[p] - 2 * slope_[p][row]);
    for (std::size_t q = 0; q < p; ++q) change += 2 * step[p] * matrix(p, q)[row] * step[q];
  }
  if (change < 0) return;
  std::copy(bytes_.begin(), bytes_.end(), rounder_.block(block.b, row));
  rounder_.load_parameters(block.b, row);
}

// Each unit moves to what costs least while all others stay: near its value plus g·(its part of M)⁻¹.
void BlockRefiner::descend(const Stretch& stretch, std::size_t begin, std::size_t end) {
  const std::size_t unit = rounder_.unit();
  float inverse[kMaxUnit * kMaxUnit];
  Column target[kMaxUnit];
  Column found[kMaxUnit];
  Column change[kMaxUnit];
  for (std::size_t first = begin; first < end; first += unit) {
    const std::size_t n = std::min(unit, end - first);
    const MatrixView metric = stretch.metric.from(first, first);
    if (n == 1)
      inverse[0] = 1.0F / *metric.at;
    else
      invert(metric, n, inverse);
    std::copy_n(stretch.back + first, n, found);
    std::copy_n(stretch.back + first, n, target);
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t r = 0; r < kPieceRows; ++r)
          target[j][r] += stretch.gradient[first + k][r] * inverse[k * n + j];
    rounder_.improve((stretch.first + first) / unit, target, n, metric, found);
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t r = 0; r < kPieceRows; ++r) change[j][r] = found[j][r] - stretch.back[first + j][r];
    std::copy_n(found, n, stretch.back + first);
    subtract_products(stretch.gradient, stretch.n_columns, change, n, stretch.metric.from(0, first));
  }
}

}  // namespace kerf

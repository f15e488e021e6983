#include "kerf/calib/gram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/kernels/kernel.h"

namespace kerf {
namespace {

// Two tiles of columns over a batch of 512 tokens stay in a second-level cache; a multiple of 12, because
// every table's register tile has 3, 4 or 6 rows.
constexpr std::size_t kTile = 96;
// Columns that a worker sums at a time.
constexpr std::size_t kStrip = 64;
// Between rows of the transposed batch, or rows of 2^n tokens would fight for one cache set.
constexpr std::size_t kPadding = 16;

constexpr std::size_t stride_of(std::size_t n_tokens) noexcept {
  return n_tokens + kPadding;
}

/// Sums of at most kStrip columns.
struct Strip {
  double squares[kStrip] = {};
  double sums[kStrip] = {};
  double magnitudes[kStrip] = {};
  float largest[kStrip] = {};
};

/// Adds n columns of x, rows `stride` apart, token by token: each column is added in the same order whatever
/// the instruction set.
KERF_CLONES void add_strip(const float* x, std::size_t stride, std::size_t n_tokens, const float* weights,
                           std::size_t n, Strip& strip) noexcept {
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const float* const row = x + t * stride;
    const double weight = weights == nullptr ? 1.0 : weights[t];
    for (std::size_t i = 0; i < n; ++i) {
      const float magnitude = std::fabs(row[i]);
      const double value = row[i];
      strip.squares[i] += weight * (value * value);
      strip.sums[i] += value;
      strip.magnitudes[i] += magnitude;
      strip.largest[i] = strip.largest[i] > magnitude ? strip.largest[i] : magnitude;
    }
  }
}

/// dst[i, t] = scale[t] · x[t, i] for n columns.
void transpose_strip(const float* x, std::size_t stride, std::size_t n_tokens, const float* scale,
                     std::size_t n, float* dst, std::size_t dst_stride) noexcept {
  constexpr std::size_t kBlock = 16;  // a cache line of x
  for (std::size_t first = 0; first < n; first += kBlock) {
    const std::size_t end = std::min(n, first + kBlock);
    for (std::size_t t = 0; t < n_tokens; ++t) {
      const float factor = scale == nullptr ? 1.0F : scale[t];
      for (std::size_t i = first; i < end; ++i) dst[i * dst_stride + t] = factor * x[t * stride + i];
    }
  }
}

KERF_CLONES void add_to(const float* x, double* sum, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) sum[i] += x[i];
}

tl::unexpected<Error> blame(const float* x, std::size_t n_tokens, std::size_t n_columns) {
  std::size_t i = 0;
  while (i + 1 < n_tokens * n_columns && std::isfinite(x[i])) ++i;
  return fail(ErrorKind::numeric, "",
              fmt::format("an activation is {} (token {}, channel {})",
                          std::isnan(x[i])   ? "NaN"
                          : std::isinf(x[i]) ? "infinite"
                                             : "too large",
                          i / n_columns, i % n_columns));
}

std::vector<float> divided(const std::vector<double>& sums, double n) {
  std::vector<float> means;
  means.reserve(sums.size());
  for (const double sum : sums) means.push_back(static_cast<float>(n > 0 ? sum / n : 0.0));
  return means;
}

}  // namespace

Gram::Gram(std::size_t n_columns, Moments moments)
    : n_columns_(n_columns),
      squares_(n_columns),
      sums_(n_columns),
      magnitudes_(n_columns),
      largest_(n_columns) {
  if (moments == Moments::full) products_.resize(n_columns * n_columns);
}

std::uint64_t Gram::bytes(std::size_t n_columns, std::size_t n_tokens, Moments moments) noexcept {
  const std::uint64_t sums = n_columns * (3 * sizeof(double) + sizeof(float));
  if (moments == Moments::diagonal) return sums;
  return sums + n_columns * n_columns * sizeof(double) + n_columns * stride_of(n_tokens) * sizeof(float);
}

Result<void> Gram::add(const float* x, std::size_t n_tokens, const float* token_weights, ThreadPool& pool) {
  KERF_CHECK(!ended_);
  KERF_CHECK_OK(add_columns(x, n_tokens, token_weights, pool));
  n_tokens_ += n_tokens;
  for (std::size_t t = 0; t < n_tokens; ++t) weight_ += token_weights == nullptr ? 1.0 : token_weights[t];
  if (!is_full()) return {};
  transpose(x, n_tokens, token_weights, pool);
  add_products(n_tokens, pool);
  return {};
}

Result<void> Gram::add_columns(const float* x, std::size_t n_tokens, const float* token_weights,
                               ThreadPool& pool) {
  const std::size_t n_strips = (n_columns_ + kStrip - 1) / kStrip;
  std::vector<Strip> strips(n_strips);
  pool.parallel_for(n_strips, 1, [&](std::size_t i, std::size_t, unsigned) {
    const std::size_t first = i * kStrip;
    add_strip(x + first, n_columns_, n_tokens, token_weights, std::min(kStrip, n_columns_ - first),
              strips[i]);
  });
  for (std::size_t c = 0; c < n_columns_; ++c)
    if (!std::isfinite(strips[c / kStrip].squares[c % kStrip])) return blame(x, n_tokens, n_columns_);
  for (std::size_t c = 0; c < n_columns_; ++c) {
    const Strip& strip = strips[c / kStrip];
    squares_[c] += strip.squares[c % kStrip];
    sums_[c] += strip.sums[c % kStrip];
    magnitudes_[c] += strip.magnitudes[c % kStrip];
    largest_[c] = std::max(largest_[c], strip.largest[c % kStrip]);
  }
  return {};
}

void Gram::transpose(const float* x, std::size_t n_tokens, const float* token_weights, ThreadPool& pool) {
  columns_.resize(n_columns_ * stride_of(n_tokens));
  std::vector<float> scale;
  if (token_weights != nullptr)
    for (std::size_t t = 0; t < n_tokens; ++t) scale.push_back(std::sqrt(token_weights[t]));
  const std::size_t n_strips = (n_columns_ + kStrip - 1) / kStrip;
  pool.parallel_for(n_strips, 1, [&](std::size_t i, std::size_t, unsigned) {
    const std::size_t first = i * kStrip;
    transpose_strip(x + first, n_columns_, n_tokens, scale.empty() ? nullptr : scale.data(),
                    std::min(kStrip, n_columns_ - first), columns_.data() + first * stride_of(n_tokens),
                    stride_of(n_tokens));
  });
}

void Gram::add_products(std::size_t n_tokens, ThreadPool& pool) {
  const std::size_t n_tiles = (n_columns_ + kTile - 1) / kTile;
  const std::size_t stride = stride_of(n_tokens);
  tiles_.resize(pool.size() * kTile * kTile);
  // Pairs i <= j of tiles, in rows of the upper triangle.
  pool.parallel_for(n_tiles * n_tiles, 1, [&](std::size_t pair, std::size_t, unsigned worker) {
    const std::size_t i = pair / n_tiles * kTile, j = pair % n_tiles * kTile;
    if (i > j) return;
    const std::size_t n_i = std::min(kTile, n_columns_ - i), n_j = std::min(kTile, n_columns_ - j);
    float* const tile = tiles_.data() + worker * kTile * kTile;
    kernels::active_table().gemm_f32(columns_.data() + i * stride, stride, columns_.data() + j * stride,
                                     stride, tile, kTile, n_i, n_j, n_tokens);
    for (std::size_t r = 0; r < n_i; ++r)
      add_to(tile + r * kTile, products_.data() + (i + r) * n_columns_ + j, n_j);
  });
}

std::span<const double> Gram::second_moments(ThreadPool& pool) {
  KERF_CHECK(is_full());
  if (ended_) return products_;
  ended_ = true;
  columns_ = {};
  const double factor = weight_ > 0 ? 1.0 / weight_ : 0.0;
  pool.parallel_for(n_columns_, 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = r; c < n_columns_; ++c) products_[r * n_columns_ + c] *= factor;
  });
  pool.parallel_for(n_columns_, 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t c = 0; c < r; ++c) products_[r * n_columns_ + c] = products_[c * n_columns_ + r];
  });
  return products_;
}

void Gram::divide_columns(std::span<const float> factors) {
  KERF_CHECK(factors.size() == n_columns_);
  for (std::size_t c = 0; c < n_columns_; ++c) {
    const double factor = factors[c];
    squares_[c] /= factor * factor;
    sums_[c] /= factor;
    magnitudes_[c] /= factor;
    largest_[c] /= factors[c];
    if (is_full())
      for (std::size_t j = 0; j < n_columns_; ++j) products_[c * n_columns_ + j] /= factor * factors[j];
  }
}

std::vector<float> Gram::mean_square() const {
  return divided(squares_, weight_);
}

std::vector<float> Gram::mean() const {
  return divided(sums_, static_cast<double>(n_tokens_));
}

std::vector<float> Gram::mean_magnitude() const {
  return divided(magnitudes_, static_cast<double>(n_tokens_));
}

}  // namespace kerf

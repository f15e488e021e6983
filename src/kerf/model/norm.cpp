#include "kerf/model/norm.h"

#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

KERF_CLONES void standardize_row(const float* x, float mean, float scale, const float* weight,
                                 const float* bias, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

void rms_row(const Norm& norm, const float* x, float* y) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  const std::size_t n = norm.width();
  const float mean_square = table.sum_squares(x, n) / static_cast<float>(n);
  table.scale_by(x, 1.0F / std::sqrt(mean_square + norm.epsilon), norm.weight.data(), y, n);
}

struct RowMoments {
  double mean;
  double scale;  // 1 / √(variance + ε)
};

RowMoments moments_of(const Norm& norm, const float* x) noexcept {
  const std::size_t n = norm.width();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return {mean, 1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(norm.epsilon))};
}

void layer_row(const Norm& norm, const float* x, float* y) noexcept {
  const RowMoments moments = moments_of(norm, x);
  standardize_row(x, static_cast<float>(moments.mean), static_cast<float>(moments.scale), norm.weight.data(),
                  norm.bias.data(), norm.width(), y);
}

void normalize_row(const Norm& norm, const float* x, float* y) noexcept {
  norm.kind == NormKind::rms ? rms_row(norm, x, y) : layer_row(norm, x, y);
}

// y = x·s·w with s = (mean(x²) + ε)^−½, so dx = s·g − x·s³·mean(g·x) with g = dy·w.
KERF_CLONES void rms_combine(const float* x, float scale, float shrink, std::size_t n, float* g) noexcept {
  for (std::size_t i = 0; i < n; ++i) g[i] = scale * g[i] - shrink * x[i];
}

void rms_row_backward(const Norm& norm, const float* x, float* dy) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  const std::size_t n = norm.width();
  const float mean_square = table.sum_squares(x, n) / static_cast<float>(n);
  const float scale = 1.0F / std::sqrt(mean_square + norm.epsilon);
  table.scale_by(dy, 1.0F, norm.weight.data(), dy, n);
  const float mean_product = table.dot_f32(dy, x, n) / static_cast<float>(n);
  rms_combine(x, scale, scale * scale * scale * mean_product, n, dy);
}

// y = z·w + b with z = (x − mean)·s, so dx = s·(g − mean(g) − z·mean(g·z)) with g = dy·w.
void layer_row_backward(const Norm& norm, const float* x, float* dy) noexcept {
  const std::size_t n = norm.width();
  const RowMoments moments = moments_of(norm, x);
  double sum = 0;
  double products = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double g = double{dy[i]} * norm.weight[i];
    sum += g;
    products += g * (x[i] - moments.mean) * moments.scale;
  }
  const double mean = sum / static_cast<double>(n), slope = products / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double z = (x[i] - moments.mean) * moments.scale;
    dy[i] = static_cast<float>(moments.scale * (double{dy[i]} * norm.weight[i] - mean - z * slope));
  }
}

KERF_CLONES void add_gains(const float* x, const float* dy, float mean, float scale, std::size_t n,
                           float* gradient) noexcept {
  for (std::size_t i = 0; i < n; ++i) gradient[i] += dy[i] * ((x[i] - mean) * scale);
}

}  // namespace

void normalize_rows(const Norm& norm, const float* x, std::size_t n_tokens, float* y, ThreadPool& pool) {
  const std::size_t n = norm.width();
  for_rows(pool, n_tokens, n, [&](std::size_t t) { normalize_row(norm, x + t * n, y + t * n); });
}

void normalize_heads(const Norm& norm, float* x, std::size_t n_tokens, std::size_t n_heads,
                     std::size_t stride, ThreadPool& pool) {
  const std::size_t n = norm.width();
  for_rows(pool, n_tokens, n_heads * n, [&](std::size_t t) {
    for (std::size_t head = 0; head < n_heads; ++head) {
      float* row = x + t * stride + head * n;
      normalize_row(norm, row, row);
    }
  });
}

void normalize_backward(const Norm& norm, const float* x, float* dy, std::size_t n_tokens,
                        std::size_t n_heads, std::size_t stride, ThreadPool& pool) {
  const std::size_t n = norm.width();
  for_rows(pool, n_tokens, n_heads * n, [&](std::size_t t) {
    for (std::size_t at = t * stride; at < t * stride + n_heads * n; at += n)
      norm.kind == NormKind::rms ? rms_row_backward(norm, x + at, dy + at)
                                 : layer_row_backward(norm, x + at, dy + at);
  });
}

void gain_gradient(const Norm& norm, const float* x, const float* dy, std::size_t n_tokens,
                   std::size_t n_heads, std::size_t stride, float* gradient) noexcept {
  const std::size_t n = norm.width();
  for (std::size_t t = 0; t < n_tokens; ++t)
    for (std::size_t at = t * stride; at < t * stride + n_heads * n; at += n) {
      if (norm.kind == NormKind::rms) {
        const float mean_square = kernels::active_table().sum_squares(x + at, n) / static_cast<float>(n);
        add_gains(x + at, dy + at, 0.0F, 1.0F / std::sqrt(mean_square + norm.epsilon), n, gradient);
      } else {
        const RowMoments moments = moments_of(norm, x + at);
        add_gains(x + at, dy + at, static_cast<float>(moments.mean), static_cast<float>(moments.scale), n,
                  gradient);
      }
    }
}

}  // namespace kerf

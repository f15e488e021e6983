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

void layer_row(const Norm& norm, const float* x, float* y) noexcept {
  const std::size_t n = norm.width();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(norm.epsilon));
  standardize_row(x, static_cast<float>(mean), static_cast<float>(scale), norm.weight.data(),
                  norm.bias.data(), n, y);
}

void normalize_row(const Norm& norm, const float* x, float* y) noexcept {
  norm.kind == NormKind::rms ? rms_row(norm, x, y) : layer_row(norm, x, y);
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

}  // namespace kerf

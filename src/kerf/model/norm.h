// Normalisation of rows: RMSNorm (Zhang and Sennrich 2019) and LayerNorm (Ba, Kiros, Hinton 2016).
#pragma once

#include <cstddef>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/model/config.h"

namespace kerf {

/// rms:   y = x / √(mean(x²) + ε) · weight
/// layer: y = (x − mean) / √(mean((x − mean)²) + ε) · weight + bias
struct Norm {
  NormKind kind = NormKind::rms;
  float epsilon = 0;
  std::vector<float> weight;  // [n]
  std::vector<float> bias;    // [n]; layer only

  [[nodiscard]] std::size_t width() const noexcept { return weight.size(); }
};

/// y = norm(x) by rows; x and y are [T, n] and may be the same.
void normalize_rows(const Norm& norm, const float* x, std::size_t n_tokens, float* y, ThreadPool& pool);

/// In place on each of `n_heads` heads of D = norm.width() in rows that start `stride` floats apart.
void normalize_heads(const Norm& norm, float* x, std::size_t n_tokens, std::size_t n_heads,
                     std::size_t stride, ThreadPool& pool);

/// The way back through either: dy, the gradient at y, becomes the gradient at x, in place. x (what went
/// in, not y) and dy are n_tokens rows of `n_heads` vectors, rows `stride` floats apart.
void normalize_backward(const Norm& norm, const float* x, float* dy, std::size_t n_tokens,
                        std::size_t n_heads, std::size_t stride, ThreadPool& pool);

/// The gradient of norm.weight: gradient[i] += Σ dy·x·scale over all vectors, laid out as above. [n]
void gain_gradient(const Norm& norm, const float* x, const float* dy, std::size_t n_tokens,
                   std::size_t n_heads, std::size_t stride, float* gradient) noexcept;

}  // namespace kerf

// What whoever wants gradients of weights gets to see while they flow back through a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kerf/model/linear.h"
#include "kerf/model/norm.h"

namespace kerf {

/// y = x·Wᵀ + bias for the tokens first_token … of a window, with the gradient of the loss at y. The gradient
/// of the weight is dW[r, k] = Σ_t dy[t, r]·x[t, k], that of the bias Σ_t dy[t, r].
struct LinearGradient {
  const Linear& layer;
  const float* x;         // [T, K]
  const float* dy;        // [T, R], rows dy_stride apart
  std::size_t dy_stride;  // floats
  std::size_t first_token;
  std::size_t n_tokens;  // T
};

/// y = norm(x) on n_heads vectors (1, but for the norms of queries and keys) of each of n_tokens rows.
struct NormGradient {
  const Norm& norm;
  const float* x;   // rows `stride` apart
  const float* dy;  // likewise
  std::size_t stride;
  std::size_t first_token;
  std::size_t n_tokens;
  std::size_t n_heads;
};

class GradientTap {
 public:
  virtual ~GradientTap() = default;
  /// Every weight of a layer comes once per window; the output matrix comes in portions of tokens, in order.
  /// The numbers of a layer's weight may be changed now: the way back is through with them. Those of the
  /// output matrix and of norms may not, before the window is done.
  virtual void linear(const LinearGradient& gradient) = 0;
  virtual void norm(const NormGradient&) {}
  /// Row tokens[t] of the embedding gets the gradient dy[t, :], for each t; dy is [T, C].
  virtual void embedding(const Linear&, std::span<const std::int32_t> /*tokens*/, const float* /*dy*/) {}
};

}  // namespace kerf

// Linear: a weight matrix in whatever format its file has, with an optional bias. The only door to matmul().
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/kernels/matmul.h"

namespace kerf {

struct Linear {
  std::string name;            ///< of the weight's tensor
  bool is_expert = false;      ///< one of the matrices of a tensor [E, R, K] …
  std::size_t matrix = 0;      ///< … and which
  WeightView weight;           ///< [R, K], into the source's mapping or `storage`
  std::vector<float> bias;     ///< [R], or empty
  std::vector<float> storage;  ///< the weight, where the file has its rows in another order

  [[nodiscard]] std::size_t n_rows() const noexcept { return weight.n_rows; }
  [[nodiscard]] std::size_t n_cols() const noexcept { return weight.n_cols; }
};

/// y[t, r] = Σ_k x[t, k]·w[r, k] + bias[r], for t < n_tokens; x is [T, K], rows of y are `y_stride` apart.
void linear(const Linear& layer, const float* x, std::size_t n_tokens, float* y, std::size_t y_stride,
            ThreadPool& pool);

/// The same for layers that read the same x, their results side by side in the rows of y: what a fused matrix
/// and its separate parts have in common.
void linear_stack(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
                  std::size_t y_stride, ThreadPool& pool);

/// The way back through linear_stack(): dx[t, k] = Σ over the layers of Σ_r dy[t, r]·w[r, k]. Rows of dy are
/// `dy_stride` floats apart and hold the layers side by side; dx is [T, K].
void linear_stack_backward(std::span<const Linear> layers, const float* dy, std::size_t dy_stride,
                           std::size_t n_tokens, float* dx, ThreadPool& pool);

/// dst[t, :] = row ids[t] of the weight, decoded; dst is [T, K].
void gather_rows(const WeightView& weight, std::span<const std::int32_t> ids, float* dst, ThreadPool& pool);

/// All numbers of the weight, [R, K].
[[nodiscard]] std::vector<float> decode_weight(const Linear& layer, ThreadPool& pool);

}  // namespace kerf

// LinearEngine: another way to multiply with the weights of blocks than linear(). What simulates quantized
// activations and what computes with them fast are engines both, so that they can be compared bit for bit.
#pragma once

#include <cstddef>
#include <span>

#include "kerf/base/threads.h"

namespace kerf {

struct Linear;

class LinearEngine {
 public:
  virtual ~LinearEngine() = default;
  /// As linear_stack(): y[t] holds the results of the layers side by side, rows `y_stride` floats apart.
  /// x is [n_tokens, K] for all of them. Where something prevents a result, y is NaN and the engine can say
  /// what it was.
  virtual void multiply(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
                        std::size_t y_stride, ThreadPool& pool) = 0;
};

}  // namespace kerf

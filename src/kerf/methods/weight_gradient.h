// The gradient of a weight from what flows in and what flows back.
#pragma once

#include <vector>

#include "kerf/base/threads.h"
#include "kerf/model/gradient_tap.h"

namespace kerf {

/// Adds up dW[r, k] += Σ_t dy[t, r]·x[t, k] over batches of tokens. Keeps its buffers between calls.
class WeightGradient {
 public:
  /// dw [R, K]. The same bits for any number of threads.
  void add(const LinearGradient& gradient, float* dw, ThreadPool& pool);

 private:
  std::vector<float> x_;      // [K, T]
  std::vector<float> dy_;     // [R, T]
  std::vector<float> tiles_;  // one per worker
};

}  // namespace kerf

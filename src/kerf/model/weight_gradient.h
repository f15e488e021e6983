// The gradient of a weight, from what flowed in and what flows back.
#pragma once

#include <vector>

#include "kerf/base/threads.h"
#include "kerf/model/gradient_tap.h"

namespace kerf {

/// Buffers of weight_gradient(), kept between calls.
struct WeightGradientScratch {
  std::vector<float> x_turned;   // [K, T]
  std::vector<float> dy_turned;  // one piece of rows per worker
};

/// dw[r, k] = Σ_t dy[t, r]·x[t, k], [R, K]; or dw[r, k] += that if `add`. The same bits for any number of
/// threads.
void weight_gradient(const LinearGradient& gradient, float* dw, bool add, WeightGradientScratch& scratch,
                     ThreadPool& pool);

}  // namespace kerf

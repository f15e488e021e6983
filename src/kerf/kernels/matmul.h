// Matrix products with a weight that stays in its file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/base/threads.h"
#include "kerf/formats/format.h"

namespace kerf {

/// A weight matrix [R, K] in the bytes of its file.
struct WeightView {
  const Format* format = nullptr;
  const std::uint8_t* bytes = nullptr;
  std::size_t n_rows = 0;  // R
  std::size_t n_cols = 0;  // K, a multiple of format->block_size
};

/// y[t, r] = Σ_k x[t, k] · w[r, k], activations in binary32, for t < n_tokens. Rows of x are w.n_cols floats
/// apart, rows of y `y_stride`. Each weight row is decoded once per call. The result does not depend on the
/// number of threads.
void matmul(const WeightView& w, const float* x, std::size_t n_tokens, float* y, std::size_t y_stride,
            ThreadPool& pool);

}  // namespace kerf

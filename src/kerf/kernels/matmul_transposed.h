// The product that carries gradients back through a weight, which stays in its file's bytes.
#pragma once

#include <cstddef>

#include "kerf/kernels/matmul.h"

namespace kerf {

/// dx[t, k] = Σ_r dy[t, r] · w[r, k] for t < n_tokens, or dx[t, k] += that if `add`. Rows of dy are
/// `dy_stride` floats apart, rows of dx w.n_cols. Each weight row is decoded once per call, into memory that
/// does not grow with the number of rows. dx has the same bits for any number of threads and for any number
/// of tokens that come along with t.
void matmul_transposed(const WeightView& w, const float* dy, std::size_t dy_stride, std::size_t n_tokens,
                       float* dx, bool add, ThreadPool& pool);

}  // namespace kerf

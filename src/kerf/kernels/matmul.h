// Matrix products with a weight that stays in its file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kerf/base/threads.h"
#include "kerf/formats/format.h"
#include "kerf/kernels/kernel.h"

namespace kerf {

/// A weight matrix [R, K] in the bytes of its file.
struct WeightView {
  const Format* format = nullptr;
  const std::uint8_t* bytes = nullptr;
  std::size_t n_rows = 0;  // R
  std::size_t n_cols = 0;  // K; format->fits(K)
};

/// y[t, r] = Σ_k x[t, k] · w[r, k], activations in binary32, for t < n_tokens. Rows of x are w.n_cols floats
/// apart, rows of y `y_stride`. Each weight row is decoded once per call. On one instruction set y[t, r] has
/// the same bits for any number of threads and for any number of tokens that come along with t.
void matmul(const WeightView& w, const float* x, std::size_t n_tokens, float* y, std::size_t y_stride,
            ThreadPool& pool);

/// The same with the loops of `table`, which this CPU must be able to run.
void matmul(const kernels::KernelTable& table, const WeightView& w, const float* x, std::size_t n_tokens,
            float* y, std::size_t y_stride, ThreadPool& pool);

/// The fastest loop of this CPU that decodes a row of the format: the same bits as format.decode.
[[nodiscard]] void (*decode_loop(const Format& format) noexcept)(const std::uint8_t* src, float* dst,
                                                                 std::size_t n);

}  // namespace kerf

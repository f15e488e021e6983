// The element-wise middle of the feed-forward network.
#pragma once

#include <cstddef>

#include "kerf/base/threads.h"
#include "kerf/model/config.h"

namespace kerf {

/// y[t, i] = f(gate[t, i]) · up[t, i] for i < F (GLU variants, Shazeer 2020); rows of x hold gate [F], then
/// up [F]; y is [T, F].
void gated_activation(Activation f, const float* x, std::size_t n_tokens, std::size_t ffn_width, float* y,
                      ThreadPool& pool);

/// y[t, i] = f(x[t, i]); both [T, F], may be the same.
void activation(Activation f, const float* x, std::size_t n_tokens, std::size_t ffn_width, float* y,
                ThreadPool& pool);

/// The way back through gated_activation(): dx [T, 2F] of its x and dy [T, F].
void gated_activation_backward(Activation f, const float* x, const float* dy, std::size_t n_tokens,
                               std::size_t ffn_width, float* dx, ThreadPool& pool);

/// The way back through activation(): dx [T, F] of its x and dy [T, F]; dx may be dy.
void activation_backward(Activation f, const float* x, const float* dy, std::size_t n_tokens,
                         std::size_t ffn_width, float* dx, ThreadPool& pool);

}  // namespace kerf

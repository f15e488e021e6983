// The way back through attention() on a window from its first token on, a block of keys at a time with the
// probabilities computed again (Dao et al. 2022, algorithm 4), so that no [T, T] matrix exists.
#pragma once

#include <cstddef>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/model/attention.h"

namespace kerf {

/// What attention() read and wrote: token t is at position t.
struct AttentionPass {
  const float* q;         // [T, H·D], rows `stride` apart
  const float* k;         // [T, H_kv·D], rows `stride` apart
  const float* v;         // likewise
  std::size_t stride;     // floats
  const float* out;       // [T, H·D]
  const float* log_sums;  // [T, H]
  std::size_t n_tokens;
};

/// Buffers of attention_backward(), kept between calls.
struct AttentionBackwardScratch {
  std::vector<float> of_workers;
  std::vector<float> d_keys;    // [T, H·D]: each query head's share of its keys' gradient
  std::vector<float> d_values;  // [T, H·D]
};

/// dq, dk, dv: gradients at q, k, v, in rows `d_stride` apart, of d_out [T, H·D] at the result. They have
/// the same bits for any number of threads.
void attention_backward(const AttentionShape& shape, const AttentionPass& pass, const float* d_out, float* dq,
                        float* dk, float* dv, std::size_t d_stride, AttentionBackwardScratch& scratch,
                        ThreadPool& pool);

}  // namespace kerf

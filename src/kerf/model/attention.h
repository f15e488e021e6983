// Causal attention with grouped queries and an optional window, one block of keys at a time with a running
// softmax (Milakov and Gimelshein 2018; Dao et al. 2022), so that no [T, T] matrix exists.
#pragma once

#include <cstddef>
#include <vector>

#include "kerf/base/threads.h"
#include "kerf/kv/kv_cache.h"

namespace kerf {

struct AttentionShape {
  std::size_t n_heads = 0;     // H
  std::size_t n_kv_heads = 0;  // head h reads keys of head h / (H / H_kv)
  std::size_t head_width = 0;  // D
  float scale = 1.0F;          // of q·k
  std::size_t window = 0;      // tokens that a query sees, its own included; 0: all up to its own
};

/// Buffers of attention(), kept between calls.
class AttentionScratch {
 public:
  /// Floats for one worker, the same memory for the same worker; not shared.
  float* of_worker(unsigned worker) noexcept { return floats_.data() + worker * per_worker_; }
  void prepare(const AttentionShape& shape, unsigned n_workers);

 private:
  std::vector<float> floats_;
  std::size_t per_worker_ = 0;
};

/// out[t, h] = Σ_p softmax_p(scale · q[t, h]·k[p]) · v[p] over the positions p that token t sees. Token t is
/// at position cache.length() + t; keys and values of `layer` are stored up to the last of them. q is [T,
/// H·D] with rows `q_stride` floats apart; out is [T, H·D]. log_sums, if any, is [T, H]: the softmax's
/// logarithm of Σ_p exp(score), which the way back (attention_backward.h) wants.
void attention(const AttentionShape& shape, const KvCache& cache, std::size_t layer, const float* q,
               std::size_t q_stride, std::size_t n_tokens, float* out, AttentionScratch& scratch,
               ThreadPool& pool, float* log_sums = nullptr);

}  // namespace kerf

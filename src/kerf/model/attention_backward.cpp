#include "kerf/model/attention_backward.h"

#include <algorithm>
#include <utility>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/kernels/transpose.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

constexpr std::size_t kTile = 64;    // queries
constexpr std::size_t kBlock = 128;  // keys

/// What attention_backward() was asked for.
struct Request {
  const AttentionShape& shape;
  const AttentionPass& pass;
  const float* d_out;
  float* dq;
  std::size_t dq_stride;
  float* d_keys;    // [T, H·D]
  float* d_values;  // [T, H·D]
};

KERF_CLONES void scaled_copy(const float* x, float scale, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * scale;
}

/// dS = P ∘ (dP − Σ_d out·d_out): the way back through softmax, to dp.
KERF_CLONES void softmax_backward(const float* p, float delta, std::size_t n, float* dp) noexcept {
  for (std::size_t i = 0; i < n; ++i) dp[i] = p[i] * (dp[i] - delta);
}

/// One query head; all of its memory lies in one worker's floats.
class Head {
 public:
  Head(const Request& request, std::size_t head, float* floats) noexcept;

  static std::size_t floats(const AttentionShape& shape, std::size_t n_tokens) noexcept {
    const std::size_t width = shape.head_width, padded = round_up(n_tokens, 16);
    return padded * (3 * width + 1) + 3 * kBlock * width + 4 * kTile * kBlock + kBlock * width;
  }

  void run() noexcept {
    open();
    for (std::size_t start = 0; start < n_tokens_; start += kBlock) run_block(start);
  }

 private:
  void open() noexcept;
  void run_block(std::size_t start) noexcept;
  void run_tile(std::size_t first, std::size_t n, std::size_t start, std::size_t n_keys) noexcept;
  void probabilities(std::size_t first, std::size_t n, std::size_t start, std::size_t n_keys) noexcept;
  void add(const float* sums, std::size_t n, float* rows, std::size_t stride, float scale) const noexcept;

  const kernels::KernelTable& table_ = kernels::active_table();
  const Request& request_;
  const AttentionPass& pass_;
  std::size_t head_, width_, n_tokens_, padded_;
  std::size_t row_;  // floats of a row of out
  const float* q_;   // of this head
  const float* k_;
  const float* v_;
  const float* d_out_;
  float* queries_;         // [T, D], scaled
  float* queries_turned_;  // [D, T]
  float* d_out_turned_;    // [D, T]
  float* deltas_;          // [T]: Σ_d out·d_out
  float* keys_turned_;     // [D, kBlock]
  float* d_keys_;          // [kBlock, D]
  float* d_values_;        // [kBlock, D]
  float* p_;               // [kTile, kBlock]
  float* dp_;              // [kTile, kBlock]
  float* p_turned_;        // [kBlock, kTile]
  float* dp_turned_;       // [kBlock, kTile]
  float* sums_;            // [kBlock, D]
};

Head::Head(const Request& request, std::size_t head, float* floats) noexcept
    : request_(request),
      pass_(request.pass),
      head_(head),
      width_(request.shape.head_width),
      n_tokens_(request.pass.n_tokens),
      padded_(round_up(n_tokens_, 16)),
      row_(request.shape.n_heads * width_) {
  const std::size_t kv_head = head / (request.shape.n_heads / request.shape.n_kv_heads);
  q_ = pass_.q + head * width_;
  k_ = pass_.k + kv_head * width_;
  v_ = pass_.v + kv_head * width_;
  d_out_ = request.d_out + head * width_;
  const auto take = [&floats](std::size_t n) { return std::exchange(floats, floats + n); };
  queries_ = take(padded_ * width_);
  queries_turned_ = take(padded_ * width_);
  d_out_turned_ = take(padded_ * width_);
  deltas_ = take(padded_);
  keys_turned_ = take(kBlock * width_);
  d_keys_ = take(kBlock * width_);
  d_values_ = take(kBlock * width_);
  p_ = take(kTile * kBlock);
  dp_ = take(kTile * kBlock);
  p_turned_ = take(kTile * kBlock);
  dp_turned_ = take(kTile * kBlock);
  sums_ = take(kBlock * width_);
}

void Head::open() noexcept {
  for (std::size_t t = 0; t < n_tokens_; ++t) {
    scaled_copy(q_ + t * pass_.stride, request_.shape.scale, width_, queries_ + t * width_);
    deltas_[t] = table_.dot_f32(pass_.out + t * row_ + head_ * width_, d_out_ + t * row_, width_);
    std::fill_n(request_.dq + t * request_.dq_stride + head_ * width_, width_, 0.0F);
  }
  transpose(queries_, width_, n_tokens_, width_, queries_turned_, padded_);
  transpose(d_out_, row_, n_tokens_, width_, d_out_turned_, padded_);
}

/// Everything that the keys from `start` on take part in.
void Head::run_block(std::size_t start) noexcept {
  const std::size_t n_keys = std::min(kBlock, n_tokens_ - start), window = request_.shape.window;
  transpose(k_ + start * pass_.stride, pass_.stride, n_keys, width_, keys_turned_, kBlock);
  std::fill_n(d_keys_, kBlock * width_, 0.0F);
  std::fill_n(d_values_, kBlock * width_, 0.0F);
  // Queries before the block do not see it, nor do those whose window begins behind its last key.
  const std::size_t end = window == 0 ? n_tokens_ : std::min(n_tokens_, start + n_keys - 1 + window);
  for (std::size_t first = start; first < end; first += kTile)
    run_tile(first, std::min(kTile, end - first), start, n_keys);
  for (std::size_t i = 0; i < n_keys; ++i) {
    std::copy_n(d_keys_ + i * width_, width_, request_.d_keys + (start + i) * row_ + head_ * width_);
    std::copy_n(d_values_ + i * width_, width_, request_.d_values + (start + i) * row_ + head_ * width_);
  }
}

/// p[t, i] = exp(score − log sum), 0 where the query does not see the key.
void Head::probabilities(std::size_t first, std::size_t n, std::size_t start, std::size_t n_keys) noexcept {
  const std::size_t window = request_.shape.window;
  table_.gemm_f32(queries_ + first * width_, width_, k_ + start * pass_.stride, pass_.stride, p_, kBlock, n,
                  n_keys, width_);
  for (std::size_t t = 0; t < n; ++t) {
    const std::size_t position = first + t;
    const std::size_t seen_from = window == 0 || position < window ? 0 : position - window + 1;
    const std::size_t begin = std::min(std::max(seen_from, start) - start, n_keys);
    const std::size_t end = std::max(begin, std::min(position + 1 - start, n_keys));
    float* row = p_ + t * kBlock;
    std::fill_n(row, begin, 0.0F);
    table_.exp_shifted(row + begin, pass_.log_sums[position * request_.shape.n_heads + head_], row + begin,
                       end - begin);
    std::fill_n(row + end, n_keys - end, 0.0F);
  }
}

void Head::run_tile(std::size_t first, std::size_t n, std::size_t start, std::size_t n_keys) noexcept {
  probabilities(first, n, start, n_keys);
  // out = P·V, so dP = d_out·Vᵀ and dV = Pᵀ·d_out.
  table_.gemm_f32(d_out_ + first * row_, row_, v_ + start * pass_.stride, pass_.stride, dp_, kBlock, n,
                  n_keys, width_);
  transpose(p_, kBlock, n, n_keys, p_turned_, kTile);
  table_.gemm_f32(p_turned_, kTile, d_out_turned_ + first, padded_, sums_, width_, n_keys, width_, n);
  add(sums_, n_keys, d_values_, width_, 1.0F);
  for (std::size_t t = 0; t < n; ++t)
    softmax_backward(p_ + t * kBlock, deltas_[first + t], n_keys, dp_ + t * kBlock);
  // S = (scale·Q)·Kᵀ, so dQ = scale·dS·K and dK = dSᵀ·(scale·Q).
  table_.gemm_f32(dp_, kBlock, keys_turned_, kBlock, sums_, width_, n, width_, n_keys);
  add(sums_, n, request_.dq + first * request_.dq_stride + head_ * width_, request_.dq_stride,
      request_.shape.scale);
  transpose(dp_, kBlock, n, n_keys, dp_turned_, kTile);
  table_.gemm_f32(dp_turned_, kTile, queries_turned_ + first, padded_, sums_, width_, n_keys, width_, n);
  add(sums_, n_keys, d_keys_, width_, 1.0F);
}

/// rows += scale · sums [n, D]
void Head::add(const float* sums, std::size_t n, float* rows, std::size_t stride,
               float scale) const noexcept {
  for (std::size_t i = 0; i < n; ++i) table_.axpy_f32(scale, sums + i * width_, rows + i * stride, width_);
}

/// dst[t, head] = the sum of what the query heads that read this head have given.
void sum_groups(const AttentionShape& shape, const float* src, std::size_t n_tokens, float* dst,
                std::size_t stride, ThreadPool& pool) {
  const std::size_t width = shape.head_width, group = shape.n_heads / shape.n_kv_heads;
  for_rows(pool, n_tokens, shape.n_heads * width, [&](std::size_t t) {
    for (std::size_t head = 0; head < shape.n_heads; ++head) {
      const float* from = src + (t * shape.n_heads + head) * width;
      float* to = dst + t * stride + head / group * width;
      if (head % group == 0)
        std::copy_n(from, width, to);
      else
        kernels::active_table().axpy_f32(1.0F, from, to, width);
    }
  });
}

}  // namespace

void attention_backward(const AttentionShape& shape, const AttentionPass& pass, const float* d_out, float* dq,
                        float* dk, float* dv, std::size_t d_stride, AttentionBackwardScratch& scratch,
                        ThreadPool& pool) {
  const std::size_t per_worker = round_up(Head::floats(shape, pass.n_tokens), 16);
  const std::size_t n = pass.n_tokens * shape.n_heads * shape.head_width;
  if (scratch.of_workers.size() < per_worker * pool.size())
    scratch.of_workers.resize(per_worker * pool.size());
  for (std::vector<float>* buffer : {&scratch.d_keys, &scratch.d_values})
    if (buffer->size() < n) buffer->resize(n);
  const Request request{shape, pass, d_out, dq, d_stride, scratch.d_keys.data(), scratch.d_values.data()};
  pool.parallel_for(shape.n_heads, 1, [&](std::size_t begin, std::size_t end, unsigned worker) {
    for (std::size_t head = begin; head < end; ++head)
      Head(request, head, scratch.of_workers.data() + worker * per_worker).run();
  });
  sum_groups(shape, scratch.d_keys.data(), pass.n_tokens, dk, d_stride, pool);
  sum_groups(shape, scratch.d_values.data(), pass.n_tokens, dv, d_stride, pool);
}

}  // namespace kerf

#include "kerf/model/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"

namespace kerf {
namespace {

constexpr std::size_t kTile = 64;  // queries of one head that share a pass over the keys
constexpr std::size_t kBlock = KvCache::kBlock;

/// Consecutive queries of one head, with what the running softmax keeps of each.
struct Tile {
  std::size_t first;  // position of the first query
  std::size_t n;      // queries
  float* q;           // [kTile, D], scaled
  float* scores;      // [kTile, kBlock]
  float* sums;        // [kTile, D]: Σ exp(s − highest)·v of one block
  float* highest;     // [kTile]: largest score so far
  float* weight;      // [kTile]: Σ exp(s − highest) so far
  float* out;         // rows of the result: Σ exp(s − highest)·v so far
  std::size_t out_stride;
};

std::size_t tile_floats(const AttentionShape& shape) noexcept {
  return kTile * (2 * shape.head_width + kBlock + 2);
}

KERF_CLONES void scaled_copy(const float* x, float scale, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = x[i] * scale;
}

KERF_CLONES void scale_and_add(float scale, const float* x, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = y[i] * scale + x[i];
}

Tile make_tile(const AttentionShape& shape, float* floats) noexcept {
  Tile tile{};
  tile.q = floats;
  tile.sums = tile.q + kTile * shape.head_width;
  tile.scores = tile.sums + kTile * shape.head_width;
  tile.highest = tile.scores + kTile * kBlock;
  tile.weight = tile.highest + kTile;
  return tile;
}

/// First position that the query at `position` sees.
std::size_t first_seen(const AttentionShape& shape, std::size_t position) noexcept {
  return shape.window == 0 || position < shape.window ? 0 : position - shape.window + 1;
}

/// Turns scores of one block that starts at position `start` and has n_keys keys into exp(s − highest), with
/// zeros where the query does not see the key, and rescales what earlier blocks have added.
void softmax_block(const AttentionShape& shape, Tile& tile, std::size_t start, std::size_t n_keys) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  for (std::size_t t = 0; t < tile.n; ++t) {
    const std::size_t position = tile.first + t;
    const std::size_t from = std::max(first_seen(shape, position), start);
    const std::size_t to = std::min(position + 1, start + n_keys);
    float* row = tile.scores + t * kBlock;
    if (from >= to) {
      std::fill_n(row, n_keys, 0.0F);
      continue;
    }
    const std::size_t begin = from - start, end = to - start;
    std::fill_n(row, begin, 0.0F);
    std::fill_n(row + end, n_keys - end, 0.0F);
    const float highest = std::max(tile.highest[t], table.max_f32(row + begin, end - begin));
    const float shrink = std::exp(tile.highest[t] - highest);  // 0 in the first block
    tile.highest[t] = highest;
    tile.weight[t] =
        tile.weight[t] * shrink + table.exp_shifted(row + begin, highest, row + begin, end - begin);
    if (shrink != 1.0F) {
      float* out = tile.out + t * tile.out_stride;
      for (std::size_t d = 0; d < shape.head_width; ++d) out[d] *= shrink;
    }
  }
}

/// Adds one block of keys and values to the tile's results.
void attend_block(const AttentionShape& shape, Tile& tile, const KvCache::View& block, std::size_t start,
                  std::size_t n_keys) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  const std::size_t width = shape.head_width;
  table.gemm_f32(tile.q, width, block.keys, width, tile.scores, kBlock, tile.n, n_keys, width);
  softmax_block(shape, tile, start, n_keys);
  table.gemm_f32(tile.scores, kBlock, block.values, kBlock, tile.sums, width, tile.n, width, n_keys);
  for (std::size_t t = 0; t < tile.n; ++t)
    scale_and_add(1.0F, tile.sums + t * width, width, tile.out + t * tile.out_stride);
}

}  // namespace

void AttentionScratch::prepare(const AttentionShape& shape, unsigned n_workers) {
  per_worker_ = round_up(tile_floats(shape), 16);
  if (floats_.size() < per_worker_ * n_workers) floats_.resize(per_worker_ * n_workers);
}

void attention(const AttentionShape& shape, const KvCache& cache, std::size_t layer, const float* q,
               std::size_t q_stride, std::size_t n_tokens, float* out, AttentionScratch& scratch,
               ThreadPool& pool) {
  scratch.prepare(shape, pool.size());
  const std::size_t width = shape.head_width;
  const std::size_t out_stride = shape.n_heads * width;
  const std::size_t n_tiles = (n_tokens + kTile - 1) / kTile;
  const auto run_tile = [&](std::size_t head, std::size_t first_token, float* floats) {
    Tile tile = make_tile(shape, floats);
    tile.first = cache.length() + first_token;
    tile.n = std::min(kTile, n_tokens - first_token);
    tile.out = out + first_token * out_stride + head * width;
    tile.out_stride = out_stride;
    for (std::size_t t = 0; t < tile.n; ++t) {
      scaled_copy(q + (first_token + t) * q_stride + head * width, shape.scale, width, tile.q + t * width);
      std::fill_n(tile.out + t * out_stride, width, 0.0F);
    }
    std::fill_n(tile.highest, tile.n, -std::numeric_limits<float>::infinity());
    std::fill_n(tile.weight, tile.n, 0.0F);
    const std::size_t end = tile.first + tile.n;
    const std::size_t kv_head = head / (shape.n_heads / shape.n_kv_heads);
    for (std::size_t block = first_seen(shape, tile.first) / kBlock; block * kBlock < end; ++block)
      attend_block(shape, tile, cache.view(layer, kv_head, block), block * kBlock,
                   std::min(kBlock, end - block * kBlock));
    for (std::size_t t = 0; t < tile.n; ++t) {
      float* row = tile.out + t * out_stride;
      scaled_copy(row, 1.0F / tile.weight[t], width, row);
    }
  };
  // The last tiles see the most keys: hand them out first, so that no thread is left with one at the end.
  pool.parallel_for(n_tiles * shape.n_heads, 1, [&](std::size_t begin, std::size_t end, unsigned worker) {
    for (std::size_t i = begin; i < end; ++i)
      run_tile(i % shape.n_heads, (n_tiles - 1 - i / shape.n_heads) * kTile, scratch.of_worker(worker));
  });
}

}  // namespace kerf

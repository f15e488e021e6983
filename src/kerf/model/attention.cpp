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
    if (shrink != 1.0F) table.scale_f32(shrink, tile.out + t * tile.out_stride, shape.head_width);
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
    table.axpy_f32(1.0F, tile.sums + t * width, tile.out + t * tile.out_stride, width);
}

/// What attention() was asked for.
struct Request {
  const AttentionShape& shape;
  const KvCache& cache;
  std::size_t layer;
  const float* q;
  std::size_t q_stride;
  std::size_t n_tokens;
  float* out;
  float* log_sums;
};

/// The tile of `head` that begins with token `first`: queries scaled, results and sums empty.
Tile open_tile(const Request& request, std::size_t head, std::size_t first, float* floats) noexcept {
  const std::size_t width = request.shape.head_width;
  Tile tile = make_tile(request.shape, floats);
  tile.first = request.cache.length() + first;
  tile.n = std::min(kTile, request.n_tokens - first);
  tile.out_stride = request.shape.n_heads * width;
  tile.out = request.out + first * tile.out_stride + head * width;
  const float* q = request.q + first * request.q_stride + head * width;
  for (std::size_t t = 0; t < tile.n; ++t) {
    scaled_copy(q + t * request.q_stride, request.shape.scale, width, tile.q + t * width);
    std::fill_n(tile.out + t * tile.out_stride, width, 0.0F);
  }
  std::fill_n(tile.highest, tile.n, -std::numeric_limits<float>::infinity());
  std::fill_n(tile.weight, tile.n, 0.0F);
  return tile;
}

void attend_tile(const Request& request, std::size_t head, std::size_t first, float* floats) noexcept {
  const AttentionShape& shape = request.shape;
  Tile tile = open_tile(request, head, first, floats);
  const std::size_t kv_head = head / (shape.n_heads / shape.n_kv_heads);
  const std::size_t end = tile.first + tile.n;
  for (std::size_t block = first_seen(shape, tile.first) / kBlock; block * kBlock < end; ++block)
    attend_block(shape, tile, request.cache.view(request.layer, kv_head, block), block * kBlock,
                 std::min(kBlock, end - block * kBlock));
  for (std::size_t t = 0; t < tile.n; ++t) {
    kernels::active_table().scale_f32(1.0F / tile.weight[t], tile.out + t * tile.out_stride,
                                      shape.head_width);
    if (request.log_sums != nullptr)
      request.log_sums[(first + t) * shape.n_heads + head] = tile.highest[t] + std::log(tile.weight[t]);
  }
}

}  // namespace

void AttentionScratch::prepare(const AttentionShape& shape, unsigned n_workers) {
  per_worker_ = round_up(tile_floats(shape), 16);
  if (floats_.size() < per_worker_ * n_workers) floats_.resize(per_worker_ * n_workers);
}

void attention(const AttentionShape& shape, const KvCache& cache, std::size_t layer, const float* q,
               std::size_t q_stride, std::size_t n_tokens, float* out, AttentionScratch& scratch,
               ThreadPool& pool, float* log_sums) {
  scratch.prepare(shape, pool.size());
  const Request request{shape, cache, layer, q, q_stride, n_tokens, out, log_sums};
  const std::size_t n_tiles = (n_tokens + kTile - 1) / kTile;
  // The last tiles see the most keys: hand them out first, so that no thread is left with one at the end.
  pool.parallel_for(n_tiles * shape.n_heads, 1, [&](std::size_t begin, std::size_t end, unsigned worker) {
    for (std::size_t i = begin; i < end; ++i)
      attend_tile(request, i % shape.n_heads, (n_tiles - 1 - i / shape.n_heads) * kTile,
                  scratch.of_worker(worker));
  });
}

}  // namespace kerf

// Keys and values as they are computed.
#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "kerf/base/check.h"
#include "kerf/kv/kv_cache.h"

namespace kerf {
namespace {

class F32Cache final : public KvCache {
 public:
  explicit F32Cache(const KvShape& shape) : KvCache(shape), lane_floats_(2 * kBlock * shape.head_width) {}

  Result<void> reserve(std::size_t n) override;
  void store(std::size_t layer, const float* k, const float* v, std::size_t stride, std::size_t n,
             ThreadPool& pool) override;
  [[nodiscard]] View view(std::size_t layer, std::size_t head, std::size_t block) const noexcept override;
  [[nodiscard]] std::size_t allocated_bytes() const noexcept override {
    return blocks_.size() * shape().n_layers * shape().n_heads * lane_floats_ * sizeof(float);
  }

 private:
  [[nodiscard]] float* lane(std::size_t layer, std::size_t head, std::size_t block) const noexcept {
    return blocks_[block].get() + (layer * shape().n_heads + head) * lane_floats_;
  }
  void store_head(std::size_t layer, std::size_t head, const float* k, const float* v, std::size_t stride,
                  std::size_t n) noexcept;

  // One block: [layer, head] of a lane each; a lane is keys [kBlock, D], then values [D, kBlock].
  std::vector<std::unique_ptr<float[]>> blocks_;
  std::size_t lane_floats_;
};

Result<void> F32Cache::reserve(std::size_t n) {
  if (n > capacity() - length())
    return fail(
        ErrorKind::usage, "",
        fmt::format("{} tokens more do not fit a context of {} that holds {}; ask for a longer context", n,
                    capacity(), length()));
  const std::size_t n_blocks = (length() + n + kBlock - 1) / kBlock;
  const std::size_t block_floats = shape().n_layers * shape().n_heads * lane_floats_;
  while (blocks_.size() < n_blocks) {
    std::unique_ptr<float[]> block(new (std::nothrow) float[block_floats]);
    if (block == nullptr)
      return fail(ErrorKind::resource, "",
                  fmt::format("no memory for the keys and values of {} tokens ({} bytes a block of {})",
                              length() + n, block_floats * sizeof(float), kBlock));
    blocks_.push_back(std::move(block));
  }
  return {};
}

void F32Cache::store(std::size_t layer, const float* k, const float* v, std::size_t stride, std::size_t n,
                     ThreadPool& pool) {
  KERF_CHECK(layer < shape().n_layers && (length() + n + kBlock - 1) / kBlock <= blocks_.size());
  pool.parallel_for(shape().n_heads, n < 16 ? shape().n_heads : 1,
                    [&](std::size_t begin, std::size_t end, unsigned) {
                      for (std::size_t head = begin; head < end; ++head)
                        store_head(layer, head, k, v, stride, n);
                    });
}

void F32Cache::store_head(std::size_t layer, std::size_t head, const float* k, const float* v,
                          std::size_t stride, std::size_t n) noexcept {
  const std::size_t width = shape().head_width;
  k += head * width;
  v += head * width;
  for (std::size_t done = 0; done < n;) {
    const std::size_t position = length() + done;
    const std::size_t column = position % kBlock;
    const std::size_t run = std::min(n - done, kBlock - column);
    float* keys = lane(layer, head, position / kBlock);
    float* values = keys + kBlock * width;
    for (std::size_t t = 0; t < run; ++t)
      std::copy_n(k + (done + t) * stride, width, keys + (column + t) * width);
    for (std::size_t d = 0; d < width; ++d)
      for (std::size_t t = 0; t < run; ++t) values[d * kBlock + column + t] = v[(done + t) * stride + d];
    done += run;
  }
}

KvCache::View F32Cache::view(std::size_t layer, std::size_t head, std::size_t block) const noexcept {
  const float* keys = lane(layer, head, block);
  return {keys, keys + kBlock * shape().head_width};
}

}  // namespace

std::unique_ptr<KvCache> make_f32_cache(const KvShape& shape) {
  return std::make_unique<F32Cache>(shape);
}

}  // namespace kerf

// KvCache: the keys and values of the tokens that a model has seen so far in one sequence.
//
// They lie in blocks of kBlock tokens per layer and head, keys as rows [token, D], values transposed
// [D, token], so that both products of attention (Q·Kᵀ and P·V) run along rows. A block is allocated when its
// first token arrives: memory follows the length of the sequence, not the capacity.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"

namespace kerf {

struct KvShape {
  std::size_t n_layers = 0;
  std::size_t n_heads = 0;     // of keys and values
  std::size_t head_width = 0;  // D
  std::size_t capacity = 0;    // tokens
  bool operator==(const KvShape&) const = default;
};

class KvCache {
 public:
  /// Tokens of a block; the longest run that attention takes at a time.
  static constexpr std::size_t kBlock = 128;

  /// One block as attention reads it.
  struct View {
    const float* keys;    // [kBlock, D]
    const float* values;  // [D, kBlock]
  };

  explicit KvCache(const KvShape& shape) : shape_(shape) {}
  virtual ~KvCache() = default;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  [[nodiscard]] const KvShape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t length() const noexcept { return length_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return shape_.capacity; }
  /// Forgets all tokens from position `length` on.
  void truncate(std::size_t length) noexcept;

  /// Makes room for `n` tokens behind length(). Errors: usage (beyond the capacity), resource (memory).
  virtual Result<void> reserve(std::size_t n) = 0;
  /// Stores keys and values of one layer for the `n` reserved tokens from length() on: k and v are
  /// [n, H_kv·D] with rows `stride` floats apart.
  virtual void store(std::size_t layer, const float* k, const float* v, std::size_t stride, std::size_t n,
                     ThreadPool& pool) = 0;
  /// Tokens block·kBlock … of one layer and head, stored ones only. Safe to call from several threads.
  [[nodiscard]] virtual View view(std::size_t layer, std::size_t head, std::size_t block) const noexcept = 0;
  /// Counts `n` tokens that every layer has stored.
  void advance(std::size_t n) noexcept;
  /// Memory that the stored tokens take.
  [[nodiscard]] virtual std::size_t allocated_bytes() const noexcept = 0;

 private:
  KvShape shape_;
  std::size_t length_ = 0;
};

/// Keys and values in binary32.
[[nodiscard]] std::unique_ptr<KvCache> make_f32_cache(const KvShape& shape);

}  // namespace kerf

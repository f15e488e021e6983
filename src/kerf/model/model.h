// Model: the transformer, written once; families differ only in ModelConfig and in which tensors exist.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/model/config.h"
#include "kerf/model/source.h"

namespace kerf {

/// Keys and values of the tokens a model has seen so far in one sequence.
class KvCache {
 public:
  virtual ~KvCache() = default;
  [[nodiscard]] virtual std::size_t length() const noexcept = 0;
  [[nodiscard]] virtual std::size_t capacity() const noexcept = 0;
  /// Forgets all tokens from position `length` on.
  virtual void truncate(std::size_t length) noexcept = 0;
};

class Model {
 public:
  /// Checks that every tensor is there with the right shape. Weights stay in the source's mapping; only
  /// what must be rearranged is copied. `pool` must outlive the model.
  static Result<std::unique_ptr<Model>> load(std::shared_ptr<const ModelSource> source, ThreadPool& pool);
  virtual ~Model() = default;

  [[nodiscard]] virtual const ModelConfig& config() const noexcept = 0;
  [[nodiscard]] virtual std::unique_ptr<KvCache> make_cache(std::size_t capacity) const = 0;
  /// Appends `tokens` (ids below the vocabulary's size) to `cache` and writes the logits of the last
  /// `n_logits` of them to logits[n_logits, V]. Errors: usage (id out of range, cache full).
  virtual Result<void> forward(std::span<const TokenId> tokens, KvCache& cache, std::size_t n_logits,
                               float* logits) = 0;
};

}  // namespace kerf

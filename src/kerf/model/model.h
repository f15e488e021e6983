// Model: the transformer, written once; families differ only in ModelConfig and in which tensors exist.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/kv/kv_cache.h"
#include "kerf/model/config.h"
#include "kerf/model/source.h"

namespace kerf {

struct Linear;
class LinearEngine;

/// Looks on while a model runs: calibration gathers what flows into each weight.
class ActivationTap {
 public:
  virtual ~ActivationTap() = default;
  /// Before the weights of layers that read the same input are multiplied with x [n_tokens, K].
  /// Experts come one by one with the tokens that the router sends them, none at times; the layers of one
  /// share their names with those of the others, Linear::matrix is the expert's number.
  virtual void input(std::span<const Linear> layers, const float* x, std::size_t n_tokens) = 0;
};

class Model {
 public:
  /// Checks that every tensor is there with the right shape. Weights stay in the source's mapping; only
  /// what must be rearranged is copied. `pool` must outlive the model.
  /// Errors: those of config_from_metadata() and load_weights().
  static Result<std::unique_ptr<Model>> load(std::shared_ptr<const ModelSource> source, ThreadPool& pool);
  virtual ~Model() = default;

  [[nodiscard]] virtual const ModelConfig& config() const noexcept = 0;
  /// Tensors of the file that take no part in the model («unused» is not an error: checkpoints carry masks,
  /// buffers of other programs, vision towers).
  [[nodiscard]] virtual const std::vector<std::string>& unused_tensors() const noexcept = 0;
  /// An empty cache for one sequence of at most `capacity` tokens. Models with longrope turn keys by their
  /// long factors if `capacity` exceeds the context that they were first trained on.
  [[nodiscard]] virtual std::unique_ptr<KvCache> make_cache(std::size_t capacity) const = 0;
  /// Appends `tokens` (ids below the vocabulary's size) to `cache` and writes the logits of the last
  /// `n_logits` of them to logits[n_logits, V]. The cache is one of make_cache(). The same tokens in other
  /// portions give the same logits but for rounding; the number of threads changes nothing.
  /// Errors: usage (id out of range, cache full, more positions than a model with learned ones has),
  /// resource. After an error the cache is as it was.
  virtual Result<void> forward(std::span<const TokenId> tokens, KvCache& cache, std::size_t n_logits,
                               float* logits) = 0;

  /// From now on forward() tells `tap` of every weight's inputs, those of the output matrix for all tokens
  /// whether their logits are wanted or not; nullptr ends that.
  virtual void set_tap(ActivationTap* tap) noexcept = 0;

  /// From now on `engine` multiplies with the weights of blocks, not with the output matrix; nullptr ends that.
  virtual void set_engine(LinearEngine* engine) noexcept = 0;
};

}  // namespace kerf

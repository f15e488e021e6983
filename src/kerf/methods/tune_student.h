// A quantized model in memory, whose weights and norms can be rewritten while it runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/model/source.h"
#include "kerf/model/weights.h"

namespace kerf {

class Student {
 public:
  /// Copies into memory the weights that can be learned (LearnedWeight::can_learn()); the others stay in the
  /// source's mapping. Errors: those of loading a model, input (nothing can be learned).
  static Result<std::unique_ptr<Student>> load(std::shared_ptr<const ModelSource> source);

  [[nodiscard]] const ModelConfig& config() const noexcept { return config_; }
  [[nodiscard]] const ModelWeights& weights() const noexcept { return weights_; }
  /// A weight that can be learned.
  struct Owned {
    const Format* format = nullptr;
    std::vector<std::uint8_t> bytes;  ///< to be changed in place: the model's views point at them
  };
  using OwnedWeights = std::map<std::string, Owned, std::less<>>;
  /// By name. A weight that is used twice (embedding and output matrix) is there once.
  [[nodiscard]] OwnedWeights& owned() noexcept { return owned_; }
  /// The gains of every norm, by name of their tensor.
  [[nodiscard]] const std::map<std::string, Norm*>& norms() const noexcept { return norms_; }

  /// Writes the model as it is now: metadata, order and formats of the source. Errors: io, resource, those
  /// of reading.
  Result<void> save(const std::filesystem::path& target) const;

 private:
  explicit Student(std::shared_ptr<const ModelSource> source) : source_(std::move(source)) {}
  void own(Linear& layer);

  std::shared_ptr<const ModelSource> source_;
  ModelConfig config_;
  ModelWeights weights_;
  OwnedWeights owned_;
  std::map<std::string, Norm*> norms_;
};

/// Calls body(linear) for every weight of a model, embedding and output matrix included.
template <class Weights, class Body>
void for_linears(Weights& weights, const Body& body) {
  body(weights.ends.embedding);
  for (auto& layer : weights.layers) {
    for (auto& linear : layer.qkv) body(linear);
    body(layer.attention_output);
    for (auto& linear : layer.mlp_input) body(linear);
    body(layer.mlp_output);
  }
  body(weights.ends.output);
}

}  // namespace kerf

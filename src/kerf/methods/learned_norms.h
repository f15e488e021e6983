// The weights of a model's norms, following their gradient.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kerf/model/gradient_tap.h"
#include "kerf/model/weights.h"

namespace kerf {

class LearnedNorms {
 public:
  /// All norms of `weights`, which stay where they are; those of a layer by the names that GGUF gives them.
  explicit LearnedNorms(ModelWeights& weights);

  void add(const NormGradient& gradient);
  /// A step of Adam against the gradients, of about `rate` of each weight; clears them.
  void step(float rate);
  /// By name of its tensor; nullptr if it is none of them.
  [[nodiscard]] const std::vector<float>* find(std::string_view tensor) const;

 private:
  struct Learned {
    Norm* norm;
    std::vector<float> gradient, momentum, variance;
  };
  void learn(std::string name, Norm& norm);

  std::size_t n_steps_ = 0;
  std::map<const Norm*, Learned> norms_;
  std::map<std::string, const Norm*, std::less<>> names_;
};

}  // namespace kerf

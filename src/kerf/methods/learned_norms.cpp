#include "kerf/methods/learned_norms.h"

#include <fmt/format.h>

#include <cmath>

#include "kerf/base/check.h"

namespace kerf {
namespace {

/// What the norm makes of x before its weight: x̂ = (x − mean) / √(mean((x − mean)²) + ε), mean 0 for rms.
struct Normed {
  Normed(const Norm& norm, const float* x) {
    const std::size_t n = norm.width();
    double sum = 0, squares = 0;
    if (norm.kind == NormKind::layer) {
      for (std::size_t i = 0; i < n; ++i) sum += x[i];
      mean = static_cast<float>(sum / static_cast<double>(n));
    }
    for (std::size_t i = 0; i < n; ++i)
      squares += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
    inverse = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(n) + norm.epsilon));
  }
  float mean = 0;
  float inverse;
};

}  // namespace

LearnedNorms::LearnedNorms(ModelWeights& weights) {
  learn("output_norm.weight", weights.ends.output_norm);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    LayerWeights& layer = weights.layers[i];
    const std::string prefix = fmt::format("blk.{}.", i);
    learn(prefix + "attn_norm.weight", layer.attention_norm);
    learn(prefix + "ffn_norm.weight", layer.mlp_norm);
    if (layer.q_norm) learn(prefix + "attn_q_norm.weight", *layer.q_norm);
    if (layer.k_norm) learn(prefix + "attn_k_norm.weight", *layer.k_norm);
    if (layer.attention_post_norm) learn(prefix + "post_attention_norm.weight", *layer.attention_post_norm);
    if (layer.mlp_post_norm) learn(prefix + "post_ffw_norm.weight", *layer.mlp_post_norm);
  }
}

void LearnedNorms::learn(std::string name, Norm& norm) {
  const std::vector<float> zeros(norm.width(), 0.0F);
  norms_.emplace(&norm, Learned{&norm, zeros, zeros, zeros});
  names_.emplace(std::move(name), &norm);
}

void LearnedNorms::add(const NormGradient& gradient) {
  const auto place = norms_.find(&gradient.norm);
  KERF_CHECK(place != norms_.end());
  std::vector<float>& sum = place->second.gradient;
  for (std::size_t t = 0; t < gradient.n_tokens; ++t)
    for (std::size_t head = 0; head < gradient.n_heads; ++head) {
      const std::size_t start = t * gradient.stride + head * sum.size();
      const float* x = gradient.x + start;
      const Normed normed(gradient.norm, x);
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += gradient.dy[start + i] * (x[i] - normed.mean) * normed.inverse;
    }
}

void LearnedNorms::step(float rate) {
  constexpr float kDecay = 0.9F, kDecayOfSquares = 0.95F;
  const auto t = static_cast<float>(++n_steps_);
  const float gain = 1.0F / (1.0F - std::pow(kDecay, t));
  const float gain_of_squares = 1.0F / (1.0F - std::pow(kDecayOfSquares, t));
  for (auto& [norm, learned] : norms_)
    for (std::size_t i = 0; i < learned.gradient.size(); ++i) {
      const float g = learned.gradient[i];
      float& m = learned.momentum[i];
      float& v = learned.variance[i];
      m += (1.0F - kDecay) * (g - m);
      v += (1.0F - kDecayOfSquares) * (g * g - v);
      float& weight = learned.norm->weight[i];
      if (v > 0.0F) weight -= rate * std::fabs(weight) * gain * m / std::sqrt(gain_of_squares * v);
      learned.gradient[i] = 0.0F;
    }
}

const std::vector<float>* LearnedNorms::find(std::string_view tensor) const {
  const auto place = names_.find(tensor);
  return place == names_.end() ? nullptr : &place->second->weight;
}

}  // namespace kerf

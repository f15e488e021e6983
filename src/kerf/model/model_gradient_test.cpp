// The way back through a whole model against autograd, on the small checkpoints of tests/golden/models, and
// against differences of the loss.
#include "kerf/model/model_gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "kerf/base/rng.h"
#include "kerf/model/golden.h"
#include "kerf/model/source.h"

namespace kerf {
namespace {

struct Loaded {
  std::shared_ptr<const ModelSource> source;
  ModelConfig config;
  ModelWeights weights;
};

Result<Loaded> load(std::string_view name) {
  Loaded loaded;
  KERF_TRY(loaded.source, ModelSource::open(golden::folder(name)));
  KERF_TRY(loaded.config, config_from_metadata(loaded.source->metadata()));
  KERF_TRY(loaded.weights, load_weights(*loaded.source, loaded.config));
  return loaded;
}

/// Σ_t −log p(token (t + 1) mod T), and its gradient.
class NextToken {
 public:
  NextToken(std::span<const std::int32_t> tokens, std::size_t n_vocabulary)
      : tokens_(tokens), n_vocabulary_(n_vocabulary) {}

  void operator()(std::size_t first, std::size_t n, float* logits) {
    for (std::size_t t = 0; t < n; ++t) {
      float* row = logits + t * n_vocabulary_;
      double sum = 0;
      for (std::size_t i = 0; i < n_vocabulary_; ++i) sum += std::exp(double{row[i]});
      const auto label = static_cast<std::size_t>(tokens_[(first + t + 1) % tokens_.size()]);
      loss += std::log(sum) - row[label];
      for (std::size_t i = 0; i < n_vocabulary_; ++i)
        row[i] = static_cast<float>(std::exp(double{row[i]}) / sum - (i == label ? 1.0 : 0.0));
    }
  }

  double loss = 0;

 private:
  std::span<const std::int32_t> tokens_;
  std::size_t n_vocabulary_;
};

/// The gradient of every parameter, by its name in GGUF files.
class Collector final : public GradientTap {
 public:
  explicit Collector(const ModelWeights& weights) {
    const auto name = [this](const Norm& norm, const std::string& of) { norms_[&norm] = of; };
    name(weights.ends.output_norm, "output_norm");
    for (std::size_t i = 0; i < weights.layers.size(); ++i) {
      const LayerWeights& layer = weights.layers[i];
      const std::string prefix = "blk." + std::to_string(i) + ".";
      name(layer.attention_norm, prefix + "attn_norm");
      name(layer.mlp_norm, prefix + "ffn_norm");
      if (layer.q_norm) name(*layer.q_norm, prefix + "attn_q_norm");
      if (layer.k_norm) name(*layer.k_norm, prefix + "attn_k_norm");
      if (layer.attention_post_norm) name(*layer.attention_post_norm, prefix + "post_attention_norm");
      if (layer.mlp_post_norm) name(*layer.mlp_post_norm, prefix + "post_ffw_norm");
    }
  }

  void linear(const LinearGradient& g) override {
    const std::size_t n_rows = g.layer.n_rows(), n_cols = g.layer.n_cols();
    std::vector<double>& dw = at(g.layer.name, n_rows * n_cols);
    for (std::size_t t = 0; t < g.n_tokens; ++t)
      for (std::size_t r = 0; r < n_rows; ++r)
        for (std::size_t k = 0; k < n_cols; ++k)
          dw[r * n_cols + k] += double{g.dy[t * g.dy_stride + r]} * g.x[t * n_cols + k];
    if (g.layer.bias.empty()) return;
    std::vector<double>& db = at(g.layer.name.substr(0, g.layer.name.size() - 6) + "bias", n_rows);
    for (std::size_t t = 0; t < g.n_tokens; ++t)
      for (std::size_t r = 0; r < n_rows; ++r) db[r] += g.dy[t * g.dy_stride + r];
  }

  void norm(const NormGradient& g) override {
    const std::size_t n = g.norm.width();
    std::vector<float> gains(n);
    gain_gradient(g.norm, g.x, g.dy, g.n_tokens, g.n_heads, g.stride, gains.data());
    std::vector<double>& dw = at(norms_.at(&g.norm) + ".weight", n);
    for (std::size_t i = 0; i < n; ++i) dw[i] += gains[i];
    if (g.norm.kind == NormKind::rms) return;
    std::vector<double>& db = at(norms_.at(&g.norm) + ".bias", n);
    for (std::size_t t = 0; t < g.n_tokens; ++t)
      for (std::size_t i = 0; i < n; ++i) db[i] += g.dy[t * g.stride + i];
  }

  void embedding(const Linear& layer, std::span<const std::int32_t> tokens, const float* dy) override {
    const std::size_t width = layer.n_cols();
    std::vector<double>& dw = at(layer.name, layer.n_rows() * width);
    for (std::size_t t = 0; t < tokens.size(); ++t)
      for (std::size_t i = 0; i < width; ++i)
        dw[static_cast<std::size_t>(tokens[t]) * width + i] += dy[t * width + i];
    positions.assign(dy, dy + tokens.size() * width);
  }

  std::map<std::string, std::vector<double>> gradients;
  std::vector<float> positions;  // [T, C]

 private:
  std::vector<double>& at(const std::string& name, std::size_t n) {
    std::vector<double>& values = gradients[name];
    values.resize(n);
    return values;
  }
  std::map<const Norm*, std::string> norms_;
};

/// What tools/golden_gradients.py keeps of a matrix.
std::vector<double> fingerprint(const std::vector<double>& g, std::size_t n_cols) {
  const std::size_t n_rows = g.size() / n_cols;
  std::vector<double> out(n_cols + n_rows);
  for (std::size_t r = 0; r < n_rows; ++r)
    for (std::size_t k = 0; k < n_cols; ++k) {
      out[k] += std::sin(1.0 + static_cast<double>(r)) * g[r * n_cols + k];
      out[n_cols + r] += std::sin(1.0 + static_cast<double>(k)) * g[r * n_cols + k];
    }
  return out;
}

class GoldenGradients : public ::testing::TestWithParam<std::string_view> {};

TEST_P(GoldenGradients, AreThoseOfAutograd) {
  const auto loaded = load(GetParam());
  ASSERT_TRUE(loaded) << loaded.error().message();
  const auto tokens = golden::tokens(GetParam());
  ThreadPool pool(2);
  Collector collector(loaded->weights);
  NextToken loss(tokens, loaded->config.n_vocabulary);
  const auto result = ModelGradient(loaded->config, loaded->weights, pool).run(tokens, loss, &collector);
  if (loaded->config.has_experts()) {  // no way back through them, and no wrong one either
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::unsupported);
    return;
  }
  ASSERT_TRUE(result) << result.error().message();
  if (loaded->config.learned_positions) {
    std::vector<double>& g = collector.gradients["position_embd.weight"];
    g.assign(collector.positions.begin(), collector.positions.end());
    g.resize(loaded->weights.ends.positions.size());
  }

  const auto expected = golden::read_npy<float>(golden::folder(GetParam()) / "gradients.npy");
  std::size_t at = 0;
  for (const auto& [name, gradient] : collector.gradients) {
    const SourceTensor* tensor = loaded->source->find(name);
    ASSERT_NE(tensor, nullptr) << name;
    const auto found = tensor->shape.size() == 2 ? fingerprint(gradient, tensor->row_length()) : gradient;
    ASSERT_LE(at + found.size(), expected.size()) << name;
    double error = 0, norm = 0;
    for (const double value : found) {
      error += (value - expected[at]) * (value - expected[at]);
      norm += double{expected[at]} * expected[at];
      ++at;
    }
    // A bias of the keys moves no probability: its gradient is the sum of what cancels.
    EXPECT_LE(std::sqrt(error), 1e-5 * std::sqrt(norm) + 1e-4) << name << ", |g| = " << std::sqrt(norm);
  }
  EXPECT_EQ(at, expected.size());
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenGradients, ::testing::ValuesIn(golden::kModels),
                         [](const auto& param) {
                           std::string name(param.param);
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

/// Of a model with a softcap, which none of the golden checkpoints has.
TEST(ModelGradient, AgreesWithDifferencesOfTheLoss) {
  auto loaded = load("llama");
  ASSERT_TRUE(loaded) << loaded.error().message();
  loaded->config.final_softcap = 3.0F;
  const auto tokens = golden::tokens("llama");
  ThreadPool pool(1);
  ModelGradient gradient(loaded->config, loaded->weights, pool);
  Collector collector(loaded->weights);
  NextToken loss(tokens, loaded->config.n_vocabulary);
  ASSERT_TRUE(gradient.run(tokens, loss, &collector));

  const auto loss_now = [&] {
    NextToken again(tokens, loaded->config.n_vocabulary);
    EXPECT_TRUE(gradient.evaluate(tokens, again));
    return again.loss;
  };
  EXPECT_EQ(loss_now(), loss.loss) << "evaluate() is the forward of run()";
  LayerWeights& layer = loaded->weights.layers[0];
  for (Linear* linear : {&layer.qkv[0], &layer.qkv[1], &layer.mlp_output}) {
    // A step along the sign of the gradient, where the loss changes fastest per element.
    std::vector<float> values(linear->n_rows() * linear->n_cols());
    decode_rows(*linear->weight.format, linear->weight.bytes, linear->n_rows(), linear->n_cols(),
                values.data());
    const std::vector<double>& g = collector.gradients.at(linear->name);
    const std::vector<float> original = values;
    linear->weight.format = &formats::f32;
    linear->weight.bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    constexpr float kStep = 1e-4F;
    double expected = 0, change = 0;
    for (const float sign : {1.0F, -1.0F}) {
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = original[i] + (g[i] > 0 ? sign : -sign) * kStep;
      change += sign * loss_now();
    }
    for (const double value : g) expected += 2 * kStep * std::fabs(value);
    EXPECT_NEAR(change, expected, 2e-3 * expected) << linear->name;
    values = original;
    EXPECT_NEAR(loss_now(), loss.loss, 1e-4);
    linear->storage = values;
    linear->weight.bytes = reinterpret_cast<const std::uint8_t*>(linear->storage.data());
  }
}

TEST(ModelGradient, ThreadsChangeNothing) {
  for (const std::string_view name : {"gemma3", "phi3"}) {
    const auto loaded = load(name);
    ASSERT_TRUE(loaded) << loaded.error().message();
    const auto tokens = golden::tokens(name);
    std::vector<std::map<std::string, std::vector<double>>> found;
    for (const unsigned n_threads : {1U, 3U}) {
      ThreadPool pool(n_threads);
      Collector collector(loaded->weights);
      NextToken loss(tokens, loaded->config.n_vocabulary);
      ASSERT_TRUE(ModelGradient(loaded->config, loaded->weights, pool).run(tokens, loss, &collector));
      found.push_back(collector.gradients);
    }
    EXPECT_EQ(found[0], found[1]) << name;
  }
}

TEST(ModelGradient, RefusesTokensThatTheModelDoesNotHave) {
  const auto loaded = load("gpt2");
  ASSERT_TRUE(loaded) << loaded.error().message();
  ThreadPool pool(1);
  ModelGradient gradient(loaded->config, loaded->weights, pool);
  const auto no_loss = [](std::size_t, std::size_t, float*) {};
  EXPECT_EQ(gradient.run(std::vector<std::int32_t>{1, 112}, no_loss, nullptr).error().kind, ErrorKind::usage);
  EXPECT_EQ(gradient.run(std::vector<std::int32_t>{-1}, no_loss, nullptr).error().kind, ErrorKind::usage);
  EXPECT_EQ(gradient.run(std::vector<std::int32_t>(97, 1), no_loss, nullptr).error().kind, ErrorKind::usage);
}

}  // namespace
}  // namespace kerf

// The whole model against transformers, on the small checkpoints of tests/golden/models.
#include "kerf/model/model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <limits>

#include "kerf/io/gguf.h"
#include "kerf/model/golden.h"

namespace kerf {
namespace {

// transformers computes in binary32 too; sums in another order differ by about 1e-5 on logits of about 5.
constexpr float kTolerance = 1e-4F;

std::shared_ptr<const ModelSource> open(const std::filesystem::path& path) {
  auto source = ModelSource::open(path);
  EXPECT_TRUE(source) << source.error().message();
  return source ? *source : nullptr;
}

std::unique_ptr<Model> load(std::shared_ptr<const ModelSource> source, ThreadPool& pool) {
  auto model = Model::load(std::move(source), pool);
  EXPECT_TRUE(model) << model.error().message();
  return model ? std::move(*model) : nullptr;
}

/// Logits of all tokens, fed in portions of `chunk`; the cache holds exactly as many.
std::vector<float> logits_of(Model& model, const std::vector<TokenId>& tokens, std::size_t chunk) {
  const std::size_t width = model.config().n_vocabulary;
  std::vector<float> logits(tokens.size() * width);
  const auto cache = model.make_cache(tokens.size());
  for (std::size_t begin = 0; begin < tokens.size(); begin += chunk) {
    const std::size_t n = std::min(chunk, tokens.size() - begin);
    const auto result = model.forward({tokens.data() + begin, n}, *cache, n, logits.data() + begin * width);
    EXPECT_TRUE(result) << result.error().message();
  }
  EXPECT_EQ(cache->length(), tokens.size());
  return logits;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<float>::infinity();
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return std::numeric_limits<float>::infinity();
    largest = std::max(largest, std::fabs(a[i] - b[i]));
  }
  return largest;
}

/// Writes what `source` is as a GGUF file, each tensor in F32.
void write_gguf(const ModelSource& source, const std::filesystem::path& target) {
  std::vector<PlannedTensor> plan;
  for (const SourceTensor& tensor : source.tensors())
    plan.push_back({.name = tensor.name, .format = &formats::f32, .shape = tensor.shape});
  auto writer = GgufWriter::create(target, source.metadata(), plan);
  ASSERT_TRUE(writer) << writer.error().message();
  for (const SourceTensor& tensor : source.tensors()) {
    std::vector<float> values(tensor.n_elements());
    ASSERT_TRUE(source.read_rows(tensor, 0, tensor.n_rows(), values.data()));
    ASSERT_TRUE(writer->write({reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * 4}));
  }
  ASSERT_TRUE(writer->commit());
}

class GoldenModel : public ::testing::TestWithParam<std::string_view> {
 protected:
  ThreadPool pool_{2};
};

TEST_P(GoldenModel, HuggingFaceFolderGivesTheLogitsOfTransformers) {
  const auto model = load(open(golden::folder(GetParam())), pool_);
  ASSERT_NE(model, nullptr);
  const std::vector<TokenId> tokens = golden::tokens(GetParam());
  ASSERT_EQ(tokens.size(), 72U);
  EXPECT_LE(largest_difference(logits_of(*model, tokens, tokens.size()), golden::logits(GetParam())),
            kTolerance);
  EXPECT_TRUE(model->unused_tensors().empty());
}

TEST_P(GoldenModel, PortionsAndThreadsChangeNothing) {
  ThreadPool one(1);
  const auto source = open(golden::folder(GetParam()));
  const auto model = load(source, pool_);
  const auto alone = load(source, one);
  ASSERT_TRUE(model != nullptr && alone != nullptr);
  const std::vector<TokenId> tokens = golden::tokens(GetParam());
  const std::vector<float> whole = logits_of(*model, tokens, tokens.size());
  EXPECT_EQ(logits_of(*alone, tokens, tokens.size()), whole);
  for (const std::size_t chunk : {1U, 7U, 65U})
    EXPECT_LE(largest_difference(logits_of(*model, tokens, chunk), whole), 1e-5F) << "portions of " << chunk;
}

TEST_P(GoldenModel, GgufFileGivesTheSameLogits) {
  const auto folder = open(golden::folder(GetParam()));
  ASSERT_NE(folder, nullptr);
  const auto path =
      std::filesystem::temp_directory_path() /
      ("kerf-model-test-" + std::to_string(::getpid()) + "-" + std::string(GetParam()) + ".gguf");
  write_gguf(*folder, path);
  const auto model = load(open(path), pool_);
  std::filesystem::remove(path);
  ASSERT_NE(model, nullptr);
  const std::vector<TokenId> tokens = golden::tokens(GetParam());
  EXPECT_LE(largest_difference(logits_of(*model, tokens, tokens.size()), golden::logits(GetParam())),
            kTolerance);
}

std::string test_name(const ::testing::TestParamInfo<std::string_view>& info) {
  std::string name(info.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Families, GoldenModel, ::testing::ValuesIn(golden::kModels), test_name);

TEST(Model, LogitsOfTheLastTokensOnly) {
  ThreadPool pool(2);
  const auto model = load(open(golden::folder("llama")), pool);
  ASSERT_NE(model, nullptr);
  // More tokens than go through a layer together, so that the wanted ones lie in two batches.
  std::vector<TokenId> tokens;
  for (int i = 0; i < 600; ++i) tokens.push_back(i * 7 % 110);
  const std::vector<float> all = logits_of(*model, tokens, tokens.size());
  EXPECT_LE(largest_difference(logits_of(*model, tokens, 100), all), 1e-5F);
  for (const std::size_t n : {0U, 1U, 100U}) {
    std::vector<float> last(n * 112);
    const auto cache = model->make_cache(600);
    ASSERT_TRUE(model->forward(tokens, *cache, n, last.data()));
    EXPECT_EQ(last, std::vector<float>(all.end() - static_cast<std::ptrdiff_t>(last.size()), all.end()));
  }
}

TEST(Model, TruncatedCacheContinuesFromThere) {
  ThreadPool pool(1);
  const auto model = load(open(golden::folder("mistral")), pool);
  ASSERT_NE(model, nullptr);
  const std::vector<TokenId> tokens = golden::tokens("mistral");
  const std::vector<float> expected = golden::logits("mistral");
  const auto cache = model->make_cache(72);
  const std::vector<TokenId> others(20, 5);
  std::vector<float> logits(112);
  ASSERT_TRUE(model->forward({tokens.data(), 50}, *cache, 0, nullptr));
  ASSERT_TRUE(model->forward(others, *cache, 0, nullptr));
  cache->truncate(50);
  ASSERT_TRUE(model->forward({tokens.data() + 50, 22}, *cache, 1, logits.data()));
  EXPECT_LE(largest_difference(logits, std::vector<float>(expected.end() - 112, expected.end())), kTolerance);
}

TEST(Model, LongropeChoosesItsFactorsByTheCapacity) {
  ThreadPool pool(1);
  const auto model = load(open(golden::folder("phi3-longrope")), pool);
  ASSERT_NE(model, nullptr);
  const std::vector<TokenId> tokens = golden::tokens("phi3-longrope");
  std::vector<float> in_short(112), in_long(112);
  const auto short_cache = model->make_cache(48), long_cache = model->make_cache(49);
  ASSERT_TRUE(model->forward({tokens.data(), 40}, *short_cache, 1, in_short.data()));
  ASSERT_TRUE(model->forward({tokens.data(), 40}, *long_cache, 1, in_long.data()));
  EXPECT_GT(largest_difference(in_short, in_long), 0.01F);
}

TEST(Model, RefusesImpossibleRequests) {
  ThreadPool pool(1);
  const auto model = load(open(golden::folder("gpt2")), pool);
  ASSERT_NE(model, nullptr);
  const auto cache = model->make_cache(200);
  const auto expect_usage = [&](const std::vector<TokenId>& tokens, std::string_view part) {
    const auto result = model->forward(tokens, *cache, 0, nullptr);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::usage);
    EXPECT_NE(result.error().message().find(part), std::string::npos) << result.error().message();
    EXPECT_EQ(cache->length(), 0U);
  };
  expect_usage({1, 112}, "112");
  expect_usage({-1}, "-1");
  expect_usage(std::vector<TokenId>(97, 1), "96 positions");
  expect_usage(std::vector<TokenId>(201, 1), "positions");
}

/// A source with changes: tensors of `real` but for those that `edit` alters or drops.
class EditedSource final : public ModelSource {
 public:
  EditedSource(std::shared_ptr<const ModelSource> real, const std::function<bool(SourceTensor&)>& edit)
      : real_(std::move(real)) {
    for (SourceTensor tensor : real_->tensors())
      if (edit(tensor)) tensors_.push_back(std::move(tensor));
  }
  void poison(std::string name) { poisoned_ = std::move(name); }

  [[nodiscard]] const std::filesystem::path& path() const noexcept override { return real_->path(); }
  [[nodiscard]] std::string_view kind() const noexcept override { return real_->kind(); }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return real_->metadata(); }
  [[nodiscard]] const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const noexcept override {
    return real_->tokenizer();
  }
  [[nodiscard]] std::optional<Bytes> raw(const SourceTensor& tensor) const override {
    return real_->raw(*real_->find(tensor.name));
  }
  Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                         float* dst) const override {
    const SourceTensor* stored = real_->find(tensor.name);
    if (stored == nullptr) stored = real_->find("output_norm.weight");
    KERF_CHECK_OK(real_->read_rows(*stored, first, n, dst));
    if (tensor.name == poisoned_) dst[3] = std::nanf("");
    return {};
  }
  void release(const SourceTensor&) const noexcept override {}

 private:
  std::shared_ptr<const ModelSource> real_;
  std::vector<SourceTensor> tensors_;
  std::string poisoned_;
};

class BrokenModel : public ::testing::Test {
 protected:
  void expect_refusal(const std::shared_ptr<EditedSource>& source, ErrorKind kind,
                      const std::vector<std::string>& parts) {
    const auto model = Model::load(source, pool_);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().kind, kind);
    for (const std::string& part : parts)
      EXPECT_NE(model.error().message().find(part), std::string::npos) << model.error().message();
  }
  static std::shared_ptr<EditedSource> edited(std::string_view model,
                                              const std::function<bool(SourceTensor&)>& edit) {
    return std::make_shared<EditedSource>(open(golden::folder(model)), edit);
  }
  ThreadPool pool_{1};
};

TEST_F(BrokenModel, MissingTensorIsNamed) {
  for (const std::string model :
       {"llama", "gemma3", "gpt2", "qwen2", "phi3-longrope", "mixtral", "qwen3moe"}) {
    const auto whole = open(golden::folder(model));
    for (const SourceTensor& tensor : whole->tensors()) {
      // These two have a meaning when they are absent: tied embeddings, and RoPE as trained first.
      if (tensor.name == "output.weight" || tensor.name == "rope_factors_long.weight") continue;
      const auto source = edited(model, [&](const SourceTensor& t) { return t.name != tensor.name; });
      expect_refusal(source, ErrorKind::not_found, {tensor.name, "missing"});
    }
  }
}

TEST_F(BrokenModel, WrongShapeIsShown) {
  for (const std::string name : {"blk.1.attn_k.weight", "blk.0.ffn_down.weight", "output_norm.weight"}) {
    const auto source = edited("llama", [&](SourceTensor& tensor) {
      if (tensor.name == name) tensor.shape.back() += 2;
      return true;
    });
    expect_refusal(source, ErrorKind::input, {name, name == "output_norm.weight" ? "[66]" : ", "});
  }
}

TEST_F(BrokenModel, FewerEmbeddingsThanTokens) {
  const auto source = edited("llama", [](SourceTensor& tensor) {
    if (tensor.name == "token_embd.weight") tensor.shape.front() = 100;
    return true;
  });
  expect_refusal(source, ErrorKind::input, {"token_embd.weight", "100", "112"});
}

TEST_F(BrokenModel, NanInANormIsFound) {
  const auto source = edited("llama", [](SourceTensor&) { return true; });
  source->poison("blk.1.ffn_norm.weight");
  expect_refusal(source, ErrorKind::numeric, {"blk.1.ffn_norm.weight", "element 3"});
}

TEST_F(BrokenModel, ExtraTensorsAreListed) {
  const auto whole = open(golden::folder("llama"));
  const auto source = edited("llama", [](SourceTensor& tensor) {
    if (tensor.name == "output.weight") tensor.name = "mask";
    return true;
  });
  const auto model = Model::load(source, pool_);
  ASSERT_TRUE(model);
  EXPECT_EQ((*model)->unused_tensors(), std::vector<std::string>{"mask"});
}

}  // namespace
}  // namespace kerf

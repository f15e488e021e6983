// The pipeline on a small checkpoint: the same bytes however the work is split, spilled or broken off.
#include "kerf/methods/quantize_calibrated.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "kerf/base/file.h"
#include "kerf/io/container.h"
#include "kerf/model/golden.h"
#include "kerf/model/model.h"

namespace kerf {
namespace {

/// Stops the work at its n-th question.
class Impatience final : public Progress {
 public:
  explicit Impatience(std::size_t patience) : patience_(patience) {}
  void start(std::string_view, std::uint64_t, std::string_view) override {}
  void advance(std::uint64_t, std::string_view) override {}
  void finish() override {}
  [[nodiscard]] bool cancelled() const noexcept override { return ++asked_ > patience_; }

 private:
  std::size_t patience_;
  mutable std::size_t asked_ = 0;
};

/// Another source with one vector of its own.
class AlteredSource final : public ModelSource {
 public:
  AlteredSource(std::shared_ptr<const ModelSource> source, std::string tensor, float value)
      : source_(std::move(source)), tensor_(std::move(tensor)), value_(value) {}

  [[nodiscard]] const std::filesystem::path& path() const noexcept override { return source_->path(); }
  [[nodiscard]] std::string_view kind() const noexcept override { return source_->kind(); }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return source_->metadata(); }
  [[nodiscard]] const std::vector<SourceTensor>& tensors() const noexcept override {
    return source_->tensors();
  }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const noexcept override {
    return source_->tokenizer();
  }
  [[nodiscard]] std::optional<Bytes> raw(const SourceTensor& tensor) const override {
    return tensor.name == tensor_ ? std::nullopt : source_->raw(tensor);
  }
  Result<void> read_rows(const SourceTensor& tensor, std::uint64_t first, std::uint64_t n,
                         float* dst) const override {
    if (tensor.name != tensor_) return source_->read_rows(tensor, first, n, dst);
    std::fill_n(dst, n * tensor.row_length(), value_);
    return {};
  }
  void release(const SourceTensor& tensor) const noexcept override { source_->release(tensor); }

 private:
  std::shared_ptr<const ModelSource> source_;
  std::string tensor_;
  float value_;
};

class QuantizeCalibrated : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    const auto source = ModelSource::open(golden::folder("llama"));
    ASSERT_TRUE(source) << source.error().message();
    source_ = *source;
    const auto text = read_calibration_text(std::filesystem::path(KERF_SOURCE_DIR) / "tests/data/essay.txt");
    ASSERT_TRUE(text) << text.error().message();
    options_.texts = {*text};
    options_.n_tokens = 256;
    options_.ctx = 32;
    options_.memory_limit_bytes = std::uint64_t{1} << 40;
    use(methods::gptq);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void use(const Method& method) {
    options_.method = &method;
    options_.tuning.damping = method.damping;
  }

  Result<std::vector<TensorReport>> write(const char* name, unsigned n_threads = 2,
                                          Progress* progress = nullptr, bool spill = false) {
    ThreadPool pool(n_threads);
    KERF_TRY(QuantizePlan plan, plan_quantization(*source_, {.type = type_}, "test"));
    KERF_TRY(CalibratedPlan calibrated, plan_calibrated(*source_, options_, pool, plan));
    if (spill) calibrated.memory.spill = {true, true};
    SilentProgress silent;
    return write_calibrated(*source_, plan, calibrated, options_, folder_ / name, pool,
                            progress == nullptr ? silent : *progress);
  }
  [[nodiscard]] std::string bytes(const char* name) const {
    const auto content = read_file(folder_ / name);
    return content ? *content : "missing: " + std::string(name);
  }
  [[nodiscard]] std::filesystem::path part(const char* name) const {
    return folder_ / (std::string(name) + ".part");
  }
  /// Of a run that must fail.
  std::string complaint(const char* name) {
    const auto status = write(name);
    return status ? "none" : status.error().message();
  }

  std::filesystem::path folder_;
  std::shared_ptr<const ModelSource> source_;
  CalibratedOptions options_;
  std::string type_ = "Q4_0";
};

TEST_F(QuantizeCalibrated, NeitherThreadsNorFilesChangeTheBytes) {
  for (const Method* method : all_methods()) {
    if (method->needs == Method::Needs::nothing) continue;
    use(*method);
    const auto reports = write("one", 1);
    ASSERT_TRUE(reports) << method->name << ": " << reports.error().message();
    ASSERT_TRUE(write("three", 3)) << method->name;
    EXPECT_EQ(bytes("one"), bytes("three")) << method->name;
    ASSERT_TRUE(write("spilled", 2, nullptr, true)) << method->name;
    EXPECT_EQ(bytes("one"), bytes("spilled")) << method->name;
    EXPECT_FALSE(std::filesystem::exists(part("one"))) << method->name;
  }
}

TEST_F(QuantizeCalibrated, NoMethodIsWorseThanPlainRounding) {
  for (const Method* method : all_methods())
    for (const char* type : {"Q4_0", "Q5_1", "IQ4_NL", "UINT3_G32_F8"}) {
      // SmoothQuant makes weights harder to round, for the sake of activations.
      if (method->needs == Method::Needs::nothing || method == &methods::smoothquant) continue;
      use(*method);
      type_ = type;
      const auto reports = write("out");
      ASSERT_TRUE(reports) << method->name << ", " << type << ": " << reports.error().message();
      double before = 0, after = 0;
      for (const TensorReport& report : *reports) {
        EXPECT_LE(report.error.output, report.error.baseline * 1.02)
            << method->name << ", " << type << ", " << report.name;
        before += report.error.baseline;
        after += report.error.output;
      }
      EXPECT_LT(after, 0.97 * before) << method->name << ", " << type;
    }
}

TEST_F(QuantizeCalibrated, StretchedColumnsAreFoldedIntoWhatMakesTheirInputs) {
  // In a type that rounds next to nothing the model computes what it did, by other numbers.
  type_ = "UINT8_G32_F8";
  for (const Method* method : {&methods::awq, &methods::smoothquant}) {
    use(*method);
    ASSERT_TRUE(write("out")) << method->name;
    std::vector<std::vector<float>> logits;
    for (const std::filesystem::path& path : {golden::folder("llama"), folder_ / "out"}) {
      ThreadPool pool(1);
      const auto source = ModelSource::open(path);
      ASSERT_TRUE(source) << source.error().message();
      const auto model = Model::load(*source, pool);
      ASSERT_TRUE(model);
      const auto tokens = golden::tokens("llama");
      const auto cache = (*model)->make_cache(tokens.size());
      logits.emplace_back(tokens.size() * (*model)->config().n_vocabulary);
      ASSERT_TRUE((*model)->forward(tokens, *cache, tokens.size(), logits.back().data()));
    }
    double error = 0, power = 0;
    for (std::size_t i = 0; i < logits[0].size(); ++i) {
      error += std::pow(logits[0][i] - logits[1][i], 2);
      power += std::pow(logits[0][i], 2);
    }
    EXPECT_LT(error, 3e-3 * power) << method->name;
    const auto before = ModelSource::open(golden::folder("llama")),
               after = ModelSource::open(folder_ / "out");
    for (const char* tensor : {"blk.0.attn_norm.weight", "blk.1.ffn_norm.weight"}) {
      std::vector<float> a(64), b(64);
      ASSERT_TRUE((*before)->read_rows(*(*before)->find(tensor), 0, 1, a.data()));
      ASSERT_TRUE((*after)->read_rows(*(*after)->find(tensor), 0, 1, b.data()));
      EXPECT_NE(a, b) << method->name << ", " << tensor;
    }
  }
}

/// The mean of what flows into one weight.
class MeanTap final : public ActivationTap {
 public:
  explicit MeanTap(std::string weight) : weight_(std::move(weight)) {}
  void input(std::span<const Linear> layers, const float* x, std::size_t n_tokens) override {
    if (layers[0].name != weight_) return;
    sums_.resize(layers[0].n_cols());
    for (std::size_t i = 0; i < n_tokens * sums_.size(); ++i) sums_[i % sums_.size()] += x[i];
    n_tokens_ += n_tokens;
  }
  [[nodiscard]] double mean(std::size_t k) const { return sums_[k] / static_cast<double>(n_tokens_); }

 private:
  std::string weight_;
  std::vector<double> sums_;
  std::size_t n_tokens_ = 0;
};

TEST_F(QuantizeCalibrated, BiasesTakeBackTheMeanShift) {
  const std::string weight = "blk.0.attn_q.weight";
  source_ = *ModelSource::open(golden::folder("qwen2"));
  use(methods::gptq);
  options_.correct_biases = true;
  ThreadPool pool(2);
  auto plan = plan_quantization(*source_, {.type = "keep", .tensor_types = {{weight, "UINT2_ROW"}}}, "test");
  ASSERT_TRUE(plan) << plan.error().message();
  const auto calibrated = plan_calibrated(*source_, options_, pool, *plan);
  ASSERT_TRUE(calibrated) << calibrated.error().message();
  SilentProgress progress;
  const auto written =
      write_calibrated(*source_, *plan, *calibrated, options_, folder_ / "out", pool, progress);
  ASSERT_TRUE(written) << written.error().message();

  const auto model = Model::load(source_, pool);
  ASSERT_TRUE(model);
  MeanTap tap(weight);
  (*model)->set_tap(&tap);
  const auto cache = (*model)->make_cache(options_.ctx);
  for (std::size_t i = 0; i < calibrated->windows.size(); ++i) {
    cache->truncate(0);
    ASSERT_TRUE((*model)->forward(calibrated->windows[i], *cache, 0, nullptr));
  }
  const auto after = *ModelSource::open(folder_ / "out");
  const auto numbers = [](const ModelSource& source, const std::string& name) {
    const SourceTensor* tensor = source.find(name);
    std::vector<float> values(tensor->n_elements());
    EXPECT_TRUE(source.read_rows(*tensor, 0, tensor->n_rows(), values.data()));
    return values;
  };
  const auto w = numbers(*source_, weight), back = numbers(*after, weight);
  const auto b = numbers(*source_, "blk.0.attn_q.bias"), corrected = numbers(*after, "blk.0.attn_q.bias");
  const std::size_t n_cols = w.size() / b.size();
  double largest = 0;
  for (std::size_t r = 0; r < b.size(); ++r) {
    double shift = 0;
    for (std::size_t k = 0; k < n_cols; ++k)
      shift += (w[r * n_cols + k] - back[r * n_cols + k]) * tap.mean(k);
    EXPECT_NEAR(corrected[r] - b[r], shift, 1e-5) << r;
    largest = std::max(largest, std::fabs(shift));
  }
  EXPECT_GT(largest, 1e-3) << "the type is too fine to shift anything";
}

TEST_F(QuantizeCalibrated, SeesWhatTheQuantizedFrontMakes) {
  // With coarse layers in front, what flows into the last matrix is not what the float model makes of it.
  type_ = "Q2_0";
  const auto coarse = write("coarse");
  ASSERT_TRUE(coarse) << coarse.error().message();
  const auto file = open_container(folder_ / "coarse");
  ASSERT_TRUE(file);
  EXPECT_EQ(*file->metadata.string("quantize.kerf.method"), "gptq");
  EXPECT_EQ(*file->metadata.u64("quantize.kerf.calibration.tokens"), 256U);
  const StoredTensor* last = file->find("blk.1.ffn_down.weight");
  ASSERT_NE(last, nullptr);
  // The same matrix with everything in front of it kept: other statistics, other codes.
  ThreadPool pool(1);
  SilentProgress progress;
  auto plan = plan_quantization(
      *source_, {.type = "keep", .tensor_types = {{"blk.1.ffn_down.weight", "Q2_0"}}}, "test");
  ASSERT_TRUE(plan);
  const auto calibrated = plan_calibrated(*source_, options_, pool, *plan);
  ASSERT_TRUE(calibrated);
  ASSERT_TRUE(write_calibrated(*source_, *plan, *calibrated, options_, folder_ / "alone", pool, progress));
  const auto alone = open_container(folder_ / "alone");
  const StoredTensor* same = alone->find("blk.1.ffn_down.weight");
  ASSERT_NE(same, nullptr);
  ASSERT_EQ(same->bytes.size(), last->bytes.size());
  EXPECT_FALSE(std::equal(same->bytes.begin(), same->bytes.end(), last->bytes.begin()));
}

TEST_F(QuantizeCalibrated, GoesOnAfterAnyInterruption) {
  for (const Method* method : {&methods::gptq, &methods::guided, &methods::autoround, &methods::awq}) {
    use(*method);
    options_.resume = false;
    ASSERT_TRUE(write("whole"));
    options_.resume = true;
    for (std::size_t patience = 0;; patience = patience * 5 / 3 + 1) {
      Impatience impatience(patience);
      const auto first = write("broken", 2, &impatience);
      if (first) {  // it was patient enough
        std::filesystem::remove(folder_ / "broken");
        break;
      }
      EXPECT_EQ(first.error().kind, ErrorKind::cancelled) << first.error().message();
      EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));
      ASSERT_TRUE(write("broken", 1)) << patience;
      EXPECT_EQ(bytes("broken"), bytes("whole")) << method->name << ", interrupted at " << patience;
      std::filesystem::remove(folder_ / "broken");
    }
  }
}

TEST_F(QuantizeCalibrated, GoesOnFromATornFile) {
  ASSERT_TRUE(write("whole"));
  Impatience impatience(120);
  ASSERT_FALSE(write("torn", 1, &impatience));
  const std::string left = bytes("torn.part");
  ASSERT_GT(left.size(), 4000U);
  options_.resume = true;
  for (const std::size_t n : {std::size_t{3}, std::size_t{40}, left.size() / 2, left.size() - 1}) {
    std::ofstream(part("torn"), std::ios::binary) << left.substr(0, n);
    ASSERT_TRUE(write("torn")) << n;
    EXPECT_EQ(bytes("torn"), bytes("whole")) << "cut after " << n;
  }
  std::string flipped = left;
  flipped[flipped.size() / 2] ^= 1;
  std::ofstream(part("torn"), std::ios::binary) << flipped;
  ASSERT_TRUE(write("torn"));
  EXPECT_EQ(bytes("torn"), bytes("whole")) << "a flipped bit";
}

TEST_F(QuantizeCalibrated, AnotherRunIsRefusedByName) {
  Impatience impatience(120);
  ASSERT_FALSE(write("out", 1, &impatience));
  EXPECT_NE(complaint("out").find("--resume"), std::string::npos);
  options_.resume = true;
  const CalibratedOptions as_begun = options_;
  const auto expect = [&](const std::string& name) {
    EXPECT_NE(complaint("out").find(name), std::string::npos) << complaint("out");
    options_ = as_begun;
  };
  options_.n_tokens = 128;
  expect("--calib-tokens");
  options_.seed = 7;
  expect("--calib-seed");
  options_.tuning.damping = 0.5;
  expect("--damping");
  options_.method = &methods::imatrix;
  expect("--method");
  options_.texts[0].documents[0] += "!";
  expect("essay.txt");
  type_ = "Q5_0";
  expect("--type");
  type_ = "Q4_0";
  const auto source = source_;
  source_ = std::make_shared<AlteredSource>(source, "output_norm.weight", 1.5F);
  expect("the input llama");
  source_ = source;
  std::ofstream(part("out"), std::ios::binary) << std::string(5000, 'x');
  expect("damaged");
}

TEST_F(QuantizeCalibrated, HostileInputIsNamed) {
  const CalibratedOptions sound = options_;
  options_.texts[0].documents = {""};
  EXPECT_NE(complaint("out").find("less than one window"), std::string::npos);
  options_.texts[0].documents = {"a"};
  EXPECT_NE(complaint("out").find("1 tokens"), std::string::npos) << complaint("out");
  options_ = sound;
  options_.ctx = 1 << 20;
  EXPECT_NE(complaint("out").find("--calib-ctx"), std::string::npos);
  options_ = sound;
  options_.memory_limit_bytes = 1 << 20;
  const auto cramped = write("out");
  ASSERT_FALSE(cramped);
  EXPECT_EQ(cramped.error().kind, ErrorKind::resource);
  EXPECT_NE(cramped.error().message().find("--max-ram"), std::string::npos) << cramped.error().message();
  options_ = sound;
  source_ = std::make_shared<AlteredSource>(source_, "blk.1.attn_norm.weight", 3e38F);
  const auto infinite = write("out");
  ASSERT_FALSE(infinite);
  EXPECT_EQ(infinite.error().kind, ErrorKind::numeric);
  EXPECT_NE(infinite.error().message().find("blk.1.attn_q.weight"), std::string::npos)
      << infinite.error().message();
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "nothing is left behind";
}

}  // namespace
}  // namespace kerf

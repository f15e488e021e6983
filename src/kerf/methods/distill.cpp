#include "kerf/methods/distill.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kerf/base/check.h"
#include "kerf/io/gguf.h"
#include "kerf/kernels/kernel.h"
#include "kerf/methods/learned_norms.h"
#include "kerf/methods/learned_rounding.h"
#include "kerf/methods/weight_gradient.h"
#include "kerf/model/model_gradient.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

/// x[i] becomes x[i] − ln Σ exp x.
void log_softmax(float* x, std::size_t n, float* scratch) {
  const kernels::KernelTable& table = kernels::active_table();
  const float highest = table.max_f32(x, n);
  const float shift = highest + std::log(table.exp_shifted(x, highest, scratch, n));
  for (std::size_t i = 0; i < n; ++i) x[i] -= shift;
}

/// KL(p ‖ q) of log p = `teacher` and the logits q, which become the gradient of factor · KL: (q − p)·factor.
double divergence(const float* teacher, float* logits, std::size_t n, float factor, float* scratch) {
  const kernels::KernelTable& table = kernels::active_table();
  log_softmax(logits, n, scratch);
  table.exp_shifted(teacher, 0.0F, scratch, n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(scratch[i]) * (teacher[i] - logits[i]);
  table.exp_shifted(logits, 0.0F, logits, n);
  for (std::size_t i = 0; i < n; ++i) logits[i] = factor * (logits[i] - scratch[i]);
  return sum;
}

/// A model that is only asked.
struct Asked {
  static Result<Asked> load(const ModelSource& source) {
    Asked model;
    KERF_TRY(model.config, config_from_metadata(source.metadata()));
    KERF_TRY(model.weights, load_weights(source, model.config));
    return model;
  }
  ModelConfig config;
  ModelWeights weights;
};

/// A matrix that learns: its bytes, what they decode to, and the gradient of that.
struct Learner {
  Learner(const Format& format_, Bytes bytes_, const std::vector<float>& original, std::size_t n_rows_,
          std::size_t n_cols_, ThreadPool& pool)
      : format(format_),
        n_rows(n_rows_),
        n_cols(n_cols_),
        bytes(bytes_.begin(), bytes_.end()),
        values(n_rows * n_cols),
        gradient(n_rows * n_cols),
        weight(format, bytes.data(), original.data(), n_rows, n_cols, LearningOptions{}, pool) {
    decode(pool);
  }

  void step(const LearningRates& rates, ThreadPool& pool) {
    weight.step(gradient.data(), rates, pool);
    std::fill(gradient.begin(), gradient.end(), 0.0F);
    decode(pool);
  }

  void decode(ThreadPool& pool) {
    const std::size_t row_bytes = format.row_bytes(n_cols);
    pool.parallel_for(n_rows, 64, [&](std::size_t begin, std::size_t end, unsigned) {
      decode_rows(format, bytes.data() + begin * row_bytes, end - begin, n_cols,
                  values.data() + begin * n_cols);
    });
  }

  const Format& format;
  std::size_t n_rows, n_cols;
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;    // [R, K]
  std::vector<float> gradient;  // [R, K]
  LearnedWeight weight;
};

/// The matrices and norms of the student that learn, and where their gradients go.
class Learners final : public GradientTap {
 public:
  Learners(const ModelSource& teacher, const ModelSource& student, const DistillOptions& options,
           ModelWeights& weights, ThreadPool& pool)
      : teacher_(teacher), student_(student), options_(options), pool_(pool), norms_(weights) {}

  /// Puts what learns in place of what was loaded.
  Result<void> take(ModelWeights& weights) {
    for (LayerWeights& layer : weights.layers) {
      for (Linear& linear : layer.qkv) KERF_CHECK_OK(take(linear));
      KERF_CHECK_OK(take(layer.attention_output));
      for (Linear& linear : layer.mlp_input) KERF_CHECK_OK(take(linear));
      KERF_CHECK_OK(take(layer.mlp_output));
    }
    if (!options_.learn_output) return {};
    KERF_CHECK_OK(take(weights.ends.embedding));
    return take(weights.ends.output);
  }

  void linear(const LinearGradient& gradient) override {
    if (Learner* learner = find(gradient.layer.name))
      weight_gradient_.add(gradient, learner->gradient.data(), pool_);
  }
  void norm(const NormGradient& gradient) override {
    if (options_.norm_rate > 0) norms_.add(gradient);
  }
  void embedding(const Linear& layer, std::span<const TokenId> tokens, const float* dy) override {
    Learner* learner = find(layer.name);
    if (learner == nullptr) return;
    const std::size_t n = learner->n_cols;
    for (std::size_t t = 0; t < tokens.size(); ++t)
      kernels::active_table().axpy_f32(1.0F, dy + t * n,
                                       learner->gradient.data() + static_cast<std::size_t>(tokens[t]) * n, n);
  }

  void step(const LearningRates& rates, float of_norms) {
    for (auto& [name, learner] : learners_) learner.step(rates, pool_);
    if (of_norms > 0) norms_.step(of_norms);
  }

  /// What the student's tensor is now; nothing if it is as it was.
  [[nodiscard]] Bytes bytes_of(const SourceTensor& tensor) const {
    if (const auto place = learners_.find(tensor.name); place != learners_.end()) return place->second.bytes;
    const std::vector<float>* norm = tensor.format == &formats::f32 ? norms_.find(tensor.name) : nullptr;
    if (norm != nullptr) return {reinterpret_cast<const std::uint8_t*>(norm->data()), norm->size() * 4};
    return {};
  }
  [[nodiscard]] std::size_t size() const noexcept { return learners_.size(); }
  [[nodiscard]] const std::vector<std::string>& not_learnable() const noexcept { return not_learnable_; }

 private:
  Learner* find(const std::string& name) {
    const auto place = learners_.find(name);
    return place == learners_.end() ? nullptr : &place->second;
  }

  Result<void> take(Linear& linear) {
    auto place = learners_.find(linear.name);
    if (place == learners_.end()) {
      const SourceTensor* tensor = student_.find(linear.name);
      const SourceTensor* original = teacher_.find(linear.name);
      if (original == nullptr || original->shape != tensor->shape)
        return fail(ErrorKind::usage, linear.name,
                    "the base has no such tensor of this shape: another model");
      const std::optional<Bytes> bytes = student_.raw(*tensor);
      if (!bytes || !LearnedWeight::can_learn(*tensor->format)) {
        if (std::find(not_learnable_.begin(), not_learnable_.end(), linear.name) == not_learnable_.end())
          not_learnable_.push_back(linear.name);
        return {};
      }
      std::vector<float> values(tensor->n_elements());
      KERF_CHECK_OK(teacher_.read_rows(*original, 0, original->n_rows(), values.data()));
      place = learners_
                  .try_emplace(linear.name, *tensor->format, *bytes, values, linear.n_rows(), linear.n_cols(),
                               pool_)
                  .first;
    }
    linear.weight.format = &formats::f32;
    linear.weight.bytes = reinterpret_cast<const std::uint8_t*>(place->second.values.data());
    return {};
  }

  const ModelSource& teacher_;
  const ModelSource& student_;
  const DistillOptions& options_;
  ThreadPool& pool_;
  LearnedNorms norms_;
  std::map<std::string, Learner, std::less<>> learners_;
  std::vector<std::string> not_learnable_;
  WeightGradient weight_gradient_;
};

class Distillation {
 public:
  Distillation(Asked& teacher, Asked& student, Learners& learners, std::span<const TokenId> tokens,
               const DistillOptions& options, ThreadPool& pool)
      : learners_(learners),
        tokens_(tokens),
        options_(options),
        pool_(pool),
        n_vocabulary_(student.config.n_vocabulary),
        teacher_(teacher.config, teacher.weights, pool),
        student_(student.config, student.weights, pool),
        log_p_(options.ctx * n_vocabulary_),
        scratch_(pool.size() * n_vocabulary_),
        losses_(options.ctx) {}

  /// The mean loss of a step's windows; gradients are added up.
  Result<double> step(std::size_t number) {
    double sum = 0;
    for (std::size_t i = 0; i < options_.windows_per_step; ++i) {
      const std::size_t n_windows = tokens_.size() / options_.ctx;
      const std::size_t window = (number * options_.windows_per_step + i) % n_windows;
      KERF_TRY(const double loss, read(tokens_.subspan(window * options_.ctx, options_.ctx)));
      sum += loss;
    }
    return sum / static_cast<double>(options_.windows_per_step);
  }

 private:
  Result<double> read(std::span<const TokenId> window) {
    KERF_CHECK_OK(teacher_.evaluate(window, [&](std::size_t first, std::size_t n, float* logits) {
      pool_.parallel_for(n, 1, [&](std::size_t t, std::size_t, unsigned worker) {
        float* const to = log_p_.data() + (first + t) * n_vocabulary_;
        std::copy_n(logits + t * n_vocabulary_, n_vocabulary_, to);
        log_softmax(to, n_vocabulary_, scratch_of(worker));
      });
    }));
    const float factor = 1.0F / static_cast<float>(window.size() * options_.windows_per_step);
    KERF_CHECK_OK(student_.run(
        window,
        [&](std::size_t first, std::size_t n, float* logits) {
          pool_.parallel_for(n, 1, [&](std::size_t t, std::size_t, unsigned worker) {
            losses_[first + t] =
                divergence(log_p_.data() + (first + t) * n_vocabulary_, logits + t * n_vocabulary_,
                           n_vocabulary_, factor, scratch_of(worker));
          });
        },
        &learners_));
    double sum = 0;
    for (const double loss : losses_) sum += loss;
    if (!std::isfinite(sum))
      return fail(ErrorKind::numeric, "", "the divergence is not finite; one of the models is broken");
    return sum / static_cast<double>(window.size());
  }

  float* scratch_of(unsigned worker) { return scratch_.data() + worker * n_vocabulary_; }

  Learners& learners_;
  std::span<const TokenId> tokens_;
  const DistillOptions& options_;
  ThreadPool& pool_;
  std::size_t n_vocabulary_;
  ModelGradient teacher_;
  ModelGradient student_;
  std::vector<float> log_p_;    // [ctx, V] of the original
  std::vector<float> scratch_;  // [workers, V]
  std::vector<double> losses_;  // [ctx]
};

/// Steps grow over the first tenth, while the means of the gradients form, and then fall to zero.
float pace(std::size_t step, std::size_t n_steps) {
  const float done = static_cast<float>(step) / static_cast<float>(n_steps);
  const float warm = (static_cast<float>(step) + 1.0F) / (0.1F * static_cast<float>(n_steps));
  return std::min(1.0F - done, warm);
}

Result<void> check(const Asked& teacher, const Asked& student, std::span<const TokenId> tokens,
                   const DistillOptions& options) {
  if (teacher.config.n_vocabulary != student.config.n_vocabulary ||
      teacher.config.n_layers != student.config.n_layers || teacher.config.width != student.config.width)
    return fail(ErrorKind::usage, "", "the base is another model: layers, width or vocabulary differ");
  if (options.ctx < 4 || options.ctx > student.config.context_length)
    return fail(ErrorKind::usage, "--ctx",
                fmt::format("{} is not between 4 and the model's context of {} tokens", options.ctx,
                            student.config.context_length));
  if (tokens.size() < options.ctx)
    return fail(
        ErrorKind::input, "",
        fmt::format("the texts have {} tokens, less than one window of {}", tokens.size(), options.ctx));
  return {};
}

Result<void> write(const ModelSource& student, const Learners& learners, const DistillReport& report,
                   const std::filesystem::path& target) {
  Metadata metadata = student.metadata();
  metadata.set("quantize.kerf.distill_tokens", MetaValue::of_u64(report.n_tokens));
  std::vector<PlannedTensor> tensors;
  for (const SourceTensor& tensor : student.tensors())
    tensors.push_back({tensor.name, tensor.format, tensor.shape});
  KERF_TRY(GgufWriter writer, GgufWriter::create(target, metadata, tensors));
  for (const SourceTensor& tensor : student.tensors()) {
    const Bytes learned = learners.bytes_of(tensor);
    KERF_CHECK_OK(writer.write(learned.empty() ? *student.raw(tensor) : learned));
  }
  return writer.commit();
}

}  // namespace

Result<DistillReport> distill(const ModelSource& teacher_source, const ModelSource& student_source,
                              std::span<const TokenId> tokens, const DistillOptions& options,
                              const std::filesystem::path& target, ThreadPool& pool, Progress& progress) {
  if (student_source.kind() != "gguf")
    return fail(ErrorKind::unsupported, student_source.path().string(), "is not a GGUF file");
  KERF_TRY(Asked teacher, Asked::load(teacher_source));
  KERF_TRY(Asked student, Asked::load(student_source));
  KERF_CHECK_OK(check(teacher, student, tokens, options));
  Learners learners(teacher_source, student_source, options, student.weights, pool);
  KERF_CHECK_OK(learners.take(student.weights));
  if (learners.size() == 0)
    return fail(ErrorKind::unsupported, student_source.path().string(),
                "has no quantized matrix that can learn");
  Distillation distillation(teacher, student, learners, tokens, options, pool);
  DistillReport report;
  report.n_learned = learners.size();
  report.not_learnable = learners.not_learnable();
  progress.start("distilling", options.n_steps, "steps");
  const std::size_t tenth = std::max<std::size_t>(1, options.n_steps / 10);
  for (std::size_t i = 0; i < options.n_steps; ++i) {
    KERF_TRY(const double loss, distillation.step(i));
    const float part = pace(i, options.n_steps);
    learners.step({.levels = part * options.rates.levels,
                   .scales = part * options.rates.scales,
                   .offsets = part * options.rates.offsets},
                  part * options.norm_rate);
    if (i < tenth) report.first_loss += loss / static_cast<double>(tenth);
    if (i + tenth >= options.n_steps) report.last_loss += loss / static_cast<double>(tenth);
    progress.advance(i + 1, fmt::format("KL divergence {:.4f}", loss));
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted; nothing was written");
  }
  progress.finish();
  report.n_tokens = options.n_steps * options.windows_per_step * options.ctx;
  KERF_CHECK_OK(write(student_source, learners, report, target));
  return report;
}

}  // namespace kerf

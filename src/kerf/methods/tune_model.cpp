#include "kerf/methods/tune_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/base/rng.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/model_gradient.h"
#include "kerf/model/rows.h"
#include "kerf/model/weight_gradient.h"

namespace kerf {
namespace {

KERF_CLONES void subtract(const float* y, std::size_t n, float* x) noexcept {
  for (std::size_t i = 0; i < n; ++i) x[i] -= y[i];
}

KERF_CLONES void probability_difference(const float* p, float p_scale, float q_scale, std::size_t n,
                                        float* q) noexcept {
  for (std::size_t i = 0; i < n; ++i) q[i] = q[i] * q_scale - p[i] * p_scale;
}

/// KL(p ‖ q) of the softmaxes of two rows of logits. `student` becomes its gradient, q − p; `teacher` and
/// `numerators` [n] are used up.
double divergence(std::size_t n, float* teacher, float* student, float* numerators) noexcept {
  const kernels::KernelTable& table = kernels::active_table();
  const float p_highest = table.max_f32(teacher, n), q_highest = table.max_f32(student, n);
  const float p_sum = table.exp_shifted(teacher, p_highest, numerators, n);
  subtract(student, n, teacher);
  const double gap = double{table.dot_f32(numerators, teacher, n)} / p_sum;  // Σ p·(z_p − z_q)
  const float q_sum = table.exp_shifted(student, q_highest, student, n);
  probability_difference(numerators, 1.0F / p_sum, 1.0F / q_sum, n, student);
  return gap - (std::log(double{p_sum}) + p_highest) + (std::log(double{q_sum}) + q_highest);
}

/// Σ KL(teacher ‖ student) over the tokens of a window.
class Distillation {
 public:
  Distillation(const ModelConfig& config, const ModelWeights& teacher, ThreadPool& pool)
      : config_(config), teacher_(teacher), pool_(pool), runner_(config, teacher, pool) {}

  Result<void> begin_window(std::span<const TokenId> tokens) {
    KERF_TRY(residual_, runner_.behind_layers(tokens));
    sum = 0;
    return {};
  }

  void operator()(std::size_t first, std::size_t n_tokens, float* logits) {
    const std::size_t n = config_.n_vocabulary;
    normed_.resize(n_tokens * config_.width);
    logits_.resize(n_tokens * n);
    numerators_.resize(pool_.size() * n);
    of_tokens_.resize(n_tokens);
    head_input(teacher_.ends, residual_ + first * config_.width, n_tokens, normed_.data(), pool_);
    head_logits(config_, teacher_.ends, normed_.data(), n_tokens, logits_.data(), pool_);
    pool_.parallel_for(n_tokens, 1, [&](std::size_t begin, std::size_t end, unsigned worker) {
      for (std::size_t t = begin; t < end; ++t)
        of_tokens_[t] =
            divergence(n, logits_.data() + t * n, logits + t * n, numerators_.data() + worker * n);
    });
    for (const double of_token : of_tokens_) sum += of_token;
  }

  double sum = 0;

 private:
  const ModelConfig& config_;
  const ModelWeights& teacher_;
  ThreadPool& pool_;
  ModelGradient runner_;
  const float* residual_ = nullptr;
  std::vector<float> normed_, logits_, numerators_;
  std::vector<double> of_tokens_;
};

/// The gains of a norm on their way, by Adam.
struct LearnedNorm {
  Norm* norm;
  std::vector<float> gradient, first, second;
};

/// Takes steps as gradients arrive.
class TuningTap final : public GradientTap {
 public:
  TuningTap(Student& student, const ModelWeights& teacher, const ModelTuningOptions& options,
            ThreadPool& pool);

  /// The sizes of the steps until the next call.
  void begin_window(const LearningRates& rates, float norm_rate) noexcept {
    rates_ = rates;
    norm_rate_ = norm_rate;
    ++n_steps_;
    std::fill(of_ends_.begin(), of_ends_.end(), 0.0F);
    for (LearnedNorm& norm : norms_) std::fill(norm.gradient.begin(), norm.gradient.end(), 0.0F);
  }
  void linear(const LinearGradient& gradient) override;
  void norm(const NormGradient& gradient) override;
  void embedding(const Linear& layer, std::span<const TokenId> tokens, const float* dy) override;
  /// What may not change before the window is done.
  void end_window();

 private:
  LearnedWeight* find(const Linear& layer) {
    const auto place = weights_.find(layer.name);
    return place == weights_.end() ? nullptr : &place->second;
  }
  void step_norm(LearnedNorm& norm) const;

  const ModelEnds& ends_;
  ThreadPool& pool_;
  std::map<std::string, LearnedWeight, std::less<>> weights_;
  std::vector<LearnedNorm> norms_;
  std::vector<float> gradient_;  // of one weight
  std::vector<float> of_ends_;   // of the output matrix, and of the embedding if that is the same
  WeightGradientScratch scratch_;
  LearningRates rates_;
  float norm_rate_ = 0;
  std::uint32_t n_steps_ = 0;
};

TuningTap::TuningTap(Student& student, const ModelWeights& teacher, const ModelTuningOptions& options,
                     ThreadPool& pool)
    : ends_(student.weights().ends), pool_(pool) {
  for_linears(teacher, [&](const Linear& layer) {
    const auto place = student.owned().find(layer.name);
    if (place == student.owned().end() || weights_.contains(layer.name)) return;
    const bool is_end = layer.name == ends_.embedding.name || layer.name == ends_.output.name;
    if (is_end && !options.learn_ends) return;
    const std::vector<float> w = decode_weight(layer, pool);
    weights_.try_emplace(layer.name, *place->second.format, place->second.bytes.data(), w.data(),
                         layer.n_rows(), layer.n_cols(), options.learning, pool);
  });
  if (find(ends_.output) != nullptr) of_ends_.resize(ends_.output.n_rows() * ends_.output.n_cols());
  if (!options.learn_norms) return;
  for (const auto& [name, norm] : student.norms()) {
    const std::vector<float> zeros(norm->width());
    norms_.push_back({norm, zeros, zeros, zeros});
  }
}

void TuningTap::linear(const LinearGradient& gradient) {
  LearnedWeight* weight = find(gradient.layer);
  if (weight == nullptr) return;
  if (&gradient.layer == &ends_.output)
    return weight_gradient(gradient, of_ends_.data(), true, scratch_, pool_);
  gradient_.resize(std::max(gradient_.size(), weight->n_rows() * weight->n_cols()));
  weight_gradient(gradient, gradient_.data(), false, scratch_, pool_);
  weight->step(gradient_.data(), rates_, pool_);
}

void TuningTap::norm(const NormGradient& gradient) {
  for (LearnedNorm& norm : norms_)
    if (norm.norm == &gradient.norm)
      gain_gradient(gradient.norm, gradient.x, gradient.dy, gradient.n_tokens, gradient.n_heads,
                    gradient.stride, norm.gradient.data());
}

void TuningTap::embedding(const Linear& layer, std::span<const TokenId> tokens, const float* dy) {
  LearnedWeight* weight = find(layer);
  if (weight == nullptr) return;
  const std::size_t width = layer.n_cols();
  const bool is_output = layer.name == ends_.output.name;
  if (!is_output) gradient_.assign(layer.n_rows() * width, 0.0F);
  float* const rows = is_output ? of_ends_.data() : gradient_.data();
  for (std::size_t t = 0; t < tokens.size(); ++t)
    kernels::active_table().axpy_f32(1.0F, dy + t * width, rows + static_cast<std::size_t>(tokens[t]) * width,
                                     width);
  if (!is_output) weight->step(gradient_.data(), rates_, pool_);
}

void TuningTap::end_window() {
  if (LearnedWeight* output = find(ends_.output)) output->step(of_ends_.data(), rates_, pool_);
  for (LearnedNorm& norm : norms_) step_norm(norm);
}

void TuningTap::step_norm(LearnedNorm& norm) const {
  const double b1 = 0.9, b2 = 0.95;
  const double first_gain = 1 / (1 - std::pow(b1, n_steps_)), second_gain = 1 / (1 - std::pow(b2, n_steps_));
  for (std::size_t i = 0; i < norm.gradient.size(); ++i) {
    const double g = norm.gradient[i];
    norm.first[i] = static_cast<float>(b1 * norm.first[i] + (1 - b1) * g);
    norm.second[i] = static_cast<float>(b2 * norm.second[i] + (1 - b2) * g * g);
    const double direction = first_gain * norm.first[i] / (std::sqrt(second_gain * norm.second[i]) + 1e-18);
    float& gain = norm.norm->weight[i];
    gain -= static_cast<float>(norm_rate_ * std::fabs(gain) * direction);
  }
}

/// 0 … n − 1 in an order of chance.
std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  Rng rng(seed);
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

class ModelTuner {
 public:
  ModelTuner(const ModelConfig& config, const ModelWeights& teacher, Student& student,
             std::span<const TokenId> tokens, const ModelTuningOptions& options, ThreadPool& pool)
      : student_(student),
        tokens_(tokens),
        options_(options),
        order_(shuffled(tokens.size() / options.ctx, options.seed)),
        loss_(config, teacher, pool),
        runner_(student.config(), student.weights(), pool),
        tap_(student, teacher, options, pool) {
    const float unit = 1.0F / std::sqrt(static_cast<float>(n_steps()));
    const auto choose = [](float& rate, float otherwise) { rate = rate == 0 ? otherwise : rate; };
    choose(rates_.levels, 0.05F * unit);
    choose(rates_.scales, 0.05F * unit);
    choose(rates_.offsets, 0.05F * unit);
    choose(norm_rate_, 0.005F * unit);
  }

  Result<ModelTuningReport> run(Progress& progress);

 private:
  [[nodiscard]] std::span<const TokenId> window(std::size_t i) const {
    return tokens_.subspan(order_[i] * options_.ctx, options_.ctx);
  }
  [[nodiscard]] std::size_t n_steps() const noexcept { return order_.size() - options_.n_check; }
  [[nodiscard]] float share_of_rate(std::size_t index) const noexcept;
  Result<double> divergence_kept_back();
  Result<double> step(std::size_t index);
  Result<void> check(std::size_t done, ModelTuningReport& report);
  void save();
  void restore();

  Student& student_;
  std::span<const TokenId> tokens_;
  const ModelTuningOptions& options_;
  LearningRates rates_ = options_.rates;
  float norm_rate_ = options_.norm_rate;
  std::vector<std::size_t> order_;  // of windows; the last n_check are kept back
  Distillation loss_;
  ModelGradient runner_;
  TuningTap tap_;
  Student::OwnedWeights best_;
  std::map<std::string, std::vector<float>> best_gains_;
};

/// Up over the first twentieth, then evenly down to 0.
float ModelTuner::share_of_rate(std::size_t index) const noexcept {
  const auto n = static_cast<float>(n_steps()), at = static_cast<float>(index);
  return std::min({1.0F, (at + 1.0F) / (0.05F * n + 1.0F), 1.0F - at / n});
}

Result<double> ModelTuner::divergence_kept_back() {
  double sum = 0;
  for (std::size_t i = n_steps(); i < order_.size(); ++i) {
    KERF_CHECK_OK(loss_.begin_window(window(i)));
    KERF_CHECK_OK(runner_.evaluate(window(i), loss_));
    sum += loss_.sum;
  }
  return sum / static_cast<double>(options_.n_check * options_.ctx);
}

/// Returns the divergence per token that the window had before the step.
Result<double> ModelTuner::step(std::size_t index) {
  const float share = share_of_rate(index);
  KERF_CHECK_OK(loss_.begin_window(window(index)));
  tap_.begin_window({rates_.levels * share, rates_.scales * share, rates_.offsets * share},
                    norm_rate_ * share);
  KERF_CHECK_OK(runner_.run(window(index), loss_, &tap_));
  if (!std::isfinite(loss_.sum))
    return fail(ErrorKind::numeric, "", "the divergence between the models is not finite");
  tap_.end_window();
  return loss_.sum / static_cast<double>(options_.ctx);
}

void ModelTuner::save() {
  best_ = student_.owned();
  for (const auto& [name, norm] : student_.norms()) best_gains_[name] = norm->weight;
}

void ModelTuner::restore() {
  for (auto& [name, owned] : student_.owned())
    std::copy(best_[name].bytes.begin(), best_[name].bytes.end(), owned.bytes.begin());
  for (const auto& [name, norm] : student_.norms()) norm->weight = best_gains_[name];
}

/// Keeps the weights if they are the best so far.
Result<void> ModelTuner::check(std::size_t done, ModelTuningReport& report) {
  KERF_TRY(const double divergence, divergence_kept_back());
  if (!(divergence < report.kld_after)) return {};
  report.kld_after = divergence;
  report.best_step = done;
  save();
  return {};
}

Result<ModelTuningReport> ModelTuner::run(Progress& progress) {
  ModelTuningReport report{.n_steps = n_steps()};
  progress.start("tuning", n_steps(), "windows");
  KERF_TRY(report.kld_before, divergence_kept_back());
  report.kld_after = report.kld_before;
  save();
  const std::size_t between =
      std::max<std::size_t>(1, n_steps() / std::max<std::size_t>(1, options_.n_checks));
  double running = report.kld_before;
  for (std::size_t i = 0; i < n_steps(); ++i) {
    const Result<double> of_window =
        progress.cancelled() ? fail(ErrorKind::cancelled, "", "interrupted") : step(i);
    Result<void> status;
    if (of_window && ((i + 1) % between == 0 || i + 1 == n_steps())) status = check(i + 1, report);
    if (!of_window || !status) {
      restore();
      return tl::unexpected<Error>(of_window ? status.error() : of_window.error());
    }
    running += 0.1 * (*of_window - running);
    progress.advance(i + 1, fmt::format("KLD {:.4f}, kept back {:.4f} (at first {:.4f})", running,
                                        report.kld_after, report.kld_before));
  }
  restore();
  progress.finish();
  return report;
}

/// Why the student is not the teacher, quantized; or nothing.
std::string mismatch(const ModelWeights& teacher, const ModelWeights& student) {
  std::vector<const Linear*> expected;
  for_linears(teacher, [&](const Linear& layer) { expected.push_back(&layer); });
  std::string complaint;
  std::size_t i = 0;
  for_linears(student, [&](const Linear& layer) {
    if (!complaint.empty() || i >= expected.size()) return;
    const Linear& other = *expected[i++];
    if (other.name != layer.name || other.n_rows() != layer.n_rows() || other.n_cols() != layer.n_cols())
      complaint = fmt::format("weight {} [{}, {}] is {} [{}, {}] in the original", layer.name, layer.n_rows(),
                              layer.n_cols(), other.name, other.n_rows(), other.n_cols());
  });
  if (complaint.empty() && teacher.layers.size() != student.layers.size())
    complaint = fmt::format("{} layers, not {}", student.layers.size(), teacher.layers.size());
  return complaint;
}

}  // namespace

Result<ModelTuningReport> tune_model(const ModelSource& teacher, Student& student,
                                     std::span<const TokenId> tokens, const ModelTuningOptions& options,
                                     ThreadPool& pool, Progress& progress) {
  KERF_CHECK(options.ctx > 0 && tokens.size() % options.ctx == 0);
  KERF_TRY(ModelConfig config, config_from_metadata(teacher.metadata()));
  KERF_TRY(const ModelWeights weights, load_weights(teacher, config));
  if (const std::string complaint = mismatch(weights, student.weights()); !complaint.empty())
    return fail(ErrorKind::input, teacher.path().string(),
                "is not the model that was quantized: the quantized one's " + complaint);
  const std::size_t n_windows = tokens.size() / options.ctx;
  if (n_windows <= options.n_check || options.n_check == 0)
    return fail(ErrorKind::input, "",
                fmt::format("{} windows of {} tokens leave none to learn from beside {} to check with",
                            n_windows, options.ctx, options.n_check));
  return ModelTuner(config, weights, student, tokens, options, pool).run(progress);
}

}  // namespace kerf

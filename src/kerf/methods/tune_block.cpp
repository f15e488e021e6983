#include "kerf/methods/tune_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/base/rng.h"
#include "kerf/model/rows.h"
#include "kerf/model/weight_gradient.h"

namespace kerf {
namespace {

constexpr std::size_t kChecks = 10;  // times that the held-back windows are looked at

/// Sums the gradients of some weights over windows.
class GradientSums final : public GradientTap {
 public:
  GradientSums(std::span<const TunableWeight> weights, ThreadPool& pool) : weights_(weights), pool_(pool) {
    for (const TunableWeight& weight : weights)
      sums_.emplace_back(weight.student->n_rows() * weight.student->n_cols());
  }

  void begin_step() noexcept { is_first_ = true; }
  void end_window() noexcept { is_first_ = false; }

  void linear(const LinearGradient& gradient) override {
    for (std::size_t i = 0; i < weights_.size(); ++i)
      if (weights_[i].student == &gradient.layer)
        weight_gradient(gradient, sums_[i].data(), !is_first_, scratch_, pool_);
  }

  [[nodiscard]] const float* of(std::size_t i) const noexcept { return sums_[i].data(); }

 private:
  std::span<const TunableWeight> weights_;
  ThreadPool& pool_;
  std::vector<std::vector<float>> sums_;
  WeightGradientScratch scratch_;
  bool is_first_ = true;
};

/// output ← weight · (output − target), the gradient of half the weighted squared error, which is returned
/// twice over.
KERF_CLONES void difference(const float* target, float weight, std::size_t n, float* output,
                            double& squares) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float d = output[i] - target[i];
    sum += double{d} * double{d};
    output[i] = weight * d;
  }
  squares = weight * sum;
}

class BlockTuner {
 public:
  BlockTuner(const ModelConfig& config, const ModelEnds& ends, const LayerWeights& student, bool is_local,
             std::span<const TunableWeight> weights, const BlockWindows& windows,
             const BlockTuningOptions& options, ThreadPool& pool);

  Result<BlockTuningReport> run(Progress& progress);

 private:
  Result<double> error_of(std::size_t window);
  Result<double> held_back_error();
  Result<void> step(std::size_t index, BlockTuningReport& report);
  [[nodiscard]] LearningRates rates_at(std::size_t index) const noexcept;
  Result<void> check(std::size_t done, BlockTuningReport& report);
  void save();
  void restore();

  const LayerWeights& student_;
  bool is_local_;
  std::span<const TunableWeight> weights_;
  const BlockWindows& windows_;
  const BlockTuningOptions& options_;
  ThreadPool& pool_;
  std::size_t width_;
  std::size_t n_held_back_;
  BlockGradient block_;
  GradientSums sums_;
  std::vector<LearnedWeight> learned_;
  std::vector<std::vector<std::uint8_t>> best_;
  std::vector<float> output_, target_;  // [ctx, C]
  std::vector<double> token_errors_;    // [ctx]
};

BlockTuner::BlockTuner(const ModelConfig& config, const ModelEnds& ends, const LayerWeights& student,
                       bool is_local, std::span<const TunableWeight> weights, const BlockWindows& windows,
                       const BlockTuningOptions& options, ThreadPool& pool)
    : student_(student),
      is_local_(is_local),
      weights_(weights),
      windows_(windows),
      options_(options),
      pool_(pool),
      width_(config.width),
      n_held_back_(windows.n_windows >= 8 ? windows.n_windows / 8 : 0),
      block_(config, ends, pool),
      sums_(weights, pool),
      output_(windows.ctx * width_),
      target_(windows.ctx * width_),
      token_errors_(windows.ctx) {
  for (const TunableWeight& weight : weights) {
    const Linear& layer = *weight.student;
    learned_.emplace_back(*layer.weight.format, weight.bytes, decode_weight(*weight.original, pool).data(),
                          layer.n_rows(), layer.n_cols(), options.learning, pool);
    best_.emplace_back(layer.n_rows() * layer.weight.format->row_bytes(layer.n_cols()));
  }
}

/// Runs a window; leaves the gradient in output_. Returns the sum of the weighted squared error.
Result<double> BlockTuner::error_of(std::size_t window) {
  KERF_CHECK_OK(windows_.inputs(window, output_.data()));
  KERF_CHECK_OK(windows_.targets(window, target_.data()));
  block_.forward(student_, is_local_, output_.data());
  for_rows(pool_, windows_.ctx, width_, [&](std::size_t t) {
    const float weight =
        windows_.token_weights.empty() ? 1.0F : windows_.token_weights[window * windows_.ctx + t];
    difference(target_.data() + t * width_, weight, width_, output_.data() + t * width_, token_errors_[t]);
  });
  double error = 0;
  for (const double of_token : token_errors_) error += of_token;
  if (!std::isfinite(error))
    return fail(ErrorKind::numeric, weights_[0].student->name,
                "the error of its layer's output is not finite; are the activations of this text?");
  return error / static_cast<double>(windows_.ctx * width_);
}

/// Of the last n_held_back_ windows, or of all if none is held back.
Result<double> BlockTuner::held_back_error() {
  const std::size_t n = n_held_back_ > 0 ? n_held_back_ : windows_.n_windows;
  double sum = 0;
  for (std::size_t i = windows_.n_windows - n; i < windows_.n_windows; ++i) {
    KERF_TRY(const double error, error_of(i));
    sum += error;
  }
  return sum / static_cast<double>(n);
}

LearningRates BlockTuner::rates_at(std::size_t index) const noexcept {
  const auto n = static_cast<float>(options_.n_steps);
  const float left = 1.0F - static_cast<float>(index) / n;
  LearningRates rates = options_.rates;
  for (float* rate : {&rates.levels, &rates.scales, &rates.offsets})
    if (*rate == 0) *rate = 1.0F / n;
  return {rates.levels * left, rates.scales * left, rates.offsets * left};
}

/// One step; now and then a look at whether the bytes are the best so far.
Result<void> BlockTuner::step(std::size_t index, BlockTuningReport& report) {
  const std::size_t n = windows_.n_windows - n_held_back_;
  sums_.begin_step();
  for (std::size_t i = 0; i < std::min(options_.windows_per_step, n); ++i) {
    Rng rng(mix64(options_.seed) + index * options_.windows_per_step + i);
    KERF_TRY(const double error, error_of(rng.below(n)));
    static_cast<void>(error);
    block_.backward(student_, is_local_, output_.data(), &sums_);
    sums_.end_window();
  }
  for (std::size_t i = 0; i < learned_.size(); ++i) learned_[i].step(sums_.of(i), rates_at(index), pool_);
  const std::size_t between = std::max<std::size_t>(1, options_.n_steps / kChecks);
  if ((index + 1) % between != 0 && index + 1 != options_.n_steps) return {};
  return check(index + 1, report);
}

void BlockTuner::save() {
  for (std::size_t i = 0; i < weights_.size(); ++i)
    std::copy_n(weights_[i].bytes, best_[i].size(), best_[i].data());
}

void BlockTuner::restore() {
  for (std::size_t i = 0; i < weights_.size(); ++i)
    std::copy_n(best_[i].data(), best_[i].size(), weights_[i].bytes);
}

/// Keeps the bytes if they are the best so far.
Result<void> BlockTuner::check(std::size_t done, BlockTuningReport& report) {
  KERF_TRY(const double error, held_back_error());
  if (error >= report.error_after) return {};
  report.error_after = error;
  report.best_step = done;
  save();
  return {};
}

Result<BlockTuningReport> BlockTuner::run(Progress& progress) {
  KERF_CHECK_OK(block_.prepare(windows_.ctx));
  BlockTuningReport report;
  KERF_TRY(report.error_before, held_back_error());
  report.error_after = report.error_before;
  save();
  for (std::size_t i = 0; i < options_.n_steps; ++i) {
    const Result<void> status =
        progress.cancelled() ? fail(ErrorKind::cancelled, "", "interrupted") : step(i, report);
    if (!status) {
      restore();
      return tl::unexpected<Error>(status.error());
    }
    progress.advance(i + 1, fmt::format("error × {:.3f}", report.error_after / report.error_before));
  }
  restore();
  return report;
}

}  // namespace

Result<BlockTuningReport> tune_block(const ModelConfig& config, const ModelEnds& ends,
                                     const LayerWeights& student, bool is_local,
                                     std::span<const TunableWeight> weights, const BlockWindows& windows,
                                     const BlockTuningOptions& options, ThreadPool& pool,
                                     Progress& progress) {
  KERF_CHECK(!weights.empty() && windows.n_windows > 0 && windows.ctx > 0);
  return BlockTuner(config, ends, student, is_local, weights, windows, options, pool).run(progress);
}

}  // namespace kerf

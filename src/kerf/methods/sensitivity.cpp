#include "kerf/methods/sensitivity.h"

#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/base/rng.h"
#include "kerf/kernels/kernel.h"
#include "kerf/model/model_gradient.h"
#include "kerf/model/rows.h"

namespace kerf {
namespace {

/// probabilities [n] of logits [n], up to the factor that is returned: 1 / their sum.
float softmax_numerators(std::span<const float> logits, float* numerators) {
  const kernels::KernelTable& table = kernels::active_table();
  const float highest = table.max_f32(logits.data(), logits.size());
  return 1.0F / table.exp_shifted(logits.data(), highest, numerators, logits.size());
}

std::size_t draw(std::span<const float> numerators, std::uint64_t seed, std::uint64_t token) {
  double total = 0;
  for (const float value : numerators) total += value;
  double left = Rng(mix64(seed) + token).uniform() * total;
  for (std::size_t i = 0; i < numerators.size(); ++i) {
    left -= numerators[i];
    if (left < 0) return i;
  }
  return numerators.size() - 1;  // rounding has eaten the rest
}

/// sums[j] += weight · x[j]²
KERF_CLONES void add_squares(const float* x, double weight, std::size_t n, double* sums) noexcept {
  for (std::size_t j = 0; j < n; ++j) sums[j] += weight * (double{x[j]} * double{x[j]});
}

/// Replaces logits by the gradient of −log p(label), each token's label drawn from its logits.
class DrawnLabels {
 public:
  DrawnLabels(std::size_t n_vocabulary, std::uint64_t seed, ThreadPool& pool)
      : n_vocabulary_(n_vocabulary), seed_(seed), pool_(pool) {}

  void begin_window(std::uint64_t first_token) noexcept { first_token_ = first_token; }

  void operator()(std::size_t first, std::size_t n_tokens, float* logits) const {
    for_rows(pool_, n_tokens, n_vocabulary_, [&](std::size_t t) {
      const std::span row(logits + t * n_vocabulary_, n_vocabulary_);
      const float scale = softmax_numerators(row, row.data());
      const std::size_t label = draw(row, seed_, first_token_ + first + t);
      kernels::active_table().scale_f32(scale, row.data(), row.size());
      row[label] -= 1.0F;
    });
  }

 private:
  std::size_t n_vocabulary_;
  std::uint64_t seed_;
  ThreadPool& pool_;
  std::uint64_t first_token_ = 0;
};

/// Keeps what Sensitivity is made of.
class SensitivityTap final : public GradientTap {
 public:
  SensitivityTap(std::size_t n_tokens, ThreadPool& pool) : n_tokens_(n_tokens), pool_(pool) {}

  void begin_window(std::size_t first_token) noexcept { first_token_ = first_token; }

  void linear(const LinearGradient& gradient) override {
    std::vector<float>& all = of_tokens_[gradient.layer.name];
    all.resize(n_tokens_);
    float* g = all.data() + first_token_ + gradient.first_token;
    const std::size_t n_rows = gradient.layer.n_rows();
    for_rows(pool_, gradient.n_tokens, n_rows, [&](std::size_t t) {
      g[t] = kernels::active_table().sum_squares(gradient.dy + t * gradient.dy_stride, n_rows) /
             static_cast<float>(n_rows);
    });
    for (std::size_t t = 0; t < gradient.n_tokens; ++t)
      if (!std::isfinite(g[t])) return complain(gradient.layer);
    add(sums_of(gradient.layer), gradient.x, gradient.n_tokens, [g](std::size_t t) { return double{g[t]}; });
  }

  void embedding(const Linear& layer, std::span<const TokenId> tokens, const float* dy) override {
    const double part = 1.0 / static_cast<double>(layer.n_rows());
    add(sums_of(layer), dy, tokens.size(), [part](std::size_t) { return part; });
  }

  /// The first gradient that was not finite.
  [[nodiscard]] const Result<void>& status() const noexcept { return status_; }

  Sensitivity finish() && {
    Sensitivity out{std::move(of_tokens_), {}};
    const auto n = static_cast<double>(n_tokens_);
    for (const auto& [name, sums] : sums_) {
      Importance& importance = out.diagonal.weights[name];
      importance = {.n_columns = sums.size(), .mean_square = {}, .n_tokens = {n}};
      for (const double sum : sums) importance.mean_square.push_back(static_cast<float>(sum / n));
    }
    return out;
  }

 private:
  std::vector<double>& sums_of(const Linear& layer) {
    std::vector<double>& sums = sums_[layer.name];
    sums.resize(layer.n_cols());
    return sums;
  }

  template <class Weight>
  void add(std::vector<double>& sums, const float* x, std::size_t n_tokens, const Weight& weight) {
    constexpr std::size_t kColumns = 64;
    pool_.parallel_for(sums.size(), kColumns, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t t = 0; t < n_tokens; ++t)
        add_squares(x + t * sums.size() + begin, weight(t), end - begin, sums.data() + begin);
    });
  }

  void complain(const Linear& layer) {
    if (status_)
      status_ = fail(ErrorKind::numeric, layer.name,
                     "the gradient at its output is not finite; does the model compute finite logits?");
  }

  std::size_t n_tokens_;
  ThreadPool& pool_;
  std::size_t first_token_ = 0;
  std::map<std::string, std::vector<float>, std::less<>> of_tokens_;
  std::map<std::string, std::vector<double>, std::less<>> sums_;  // Σ g·x² by columns
  Result<void> status_;
};

}  // namespace

std::size_t draw_label(std::span<const float> logits, std::uint64_t seed, std::uint64_t token) {
  std::vector<float> numerators(logits.size());
  softmax_numerators(logits, numerators.data());
  return draw(numerators, seed, token);
}

Result<Sensitivity> measure_sensitivity(const ModelSource& source, std::span<const TokenId> tokens,
                                        const SensitivityOptions& options, ThreadPool& pool,
                                        Progress& progress) {
  KERF_CHECK(options.ctx > 0 && tokens.size() % options.ctx == 0);
  KERF_TRY(ModelConfig config, config_from_metadata(source.metadata()));
  KERF_CHECK_OK(check_differentiable(config));
  KERF_TRY(const ModelWeights weights, load_weights(source, config));
  ModelGradient gradient(config, weights, pool);
  DrawnLabels labels(config.n_vocabulary, options.seed, pool);
  SensitivityTap tap(tokens.size(), pool);
  const std::size_t n_windows = tokens.size() / options.ctx;
  progress.start("measuring sensitivities", n_windows, "windows");
  for (std::size_t i = 0; i < n_windows; ++i) {
    labels.begin_window(i * options.ctx);
    tap.begin_window(i * options.ctx);
    KERF_CHECK_OK(gradient.run(tokens.subspan(i * options.ctx, options.ctx), labels, &tap));
    KERF_CHECK_OK(tap.status());
    progress.advance(i + 1, {});
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted; nothing was written");
  }
  progress.finish();
  Sensitivity out = std::move(tap).finish();
  out.diagonal.chunk_size = options.ctx;
  out.diagonal.n_chunks = n_windows;
  return out;
}

}  // namespace kerf

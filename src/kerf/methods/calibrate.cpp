#include "kerf/methods/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/model/linear.h"

namespace kerf {
namespace {

/// sums[k] += Σ_t x[t, k]² for columns begin … end − 1 of x [n_tokens, n_columns].
KERF_CLONES void add_squares(const float* x, std::size_t n_tokens, std::size_t n_columns, std::size_t begin,
                             std::size_t end, double* sums) noexcept {
  for (std::size_t t = 0; t < n_tokens; ++t) {
    const float* row = x + t * n_columns;
    for (std::size_t k = begin; k < end; ++k) sums[k] += static_cast<double>(row[k]) * row[k];
  }
}

class SecondMoments final : public ActivationTap {
 public:
  explicit SecondMoments(ThreadPool& pool) : pool_(pool) {}

  void input(const Linear& layer, const float* x, std::size_t n_tokens) override {
    Sums& sums = weights_[layer.name];
    sums.squares.resize(layer.n_cols(), 0.0);
    sums.n_tokens += n_tokens;
    // Every column is summed by one thread, token by token.
    pool_.parallel_for(layer.n_cols(), 64, [&](std::size_t begin, std::size_t end, unsigned) {
      add_squares(x, n_tokens, layer.n_cols(), begin, end, sums.squares.data());
    });
  }

  /// The name of a weight that saw NaN or infinity, or an empty one.
  [[nodiscard]] std::string broken() const {
    for (const auto& [weight, sums] : weights_)
      if (!std::all_of(sums.squares.begin(), sums.squares.end(), [](double s) { return std::isfinite(s); }))
        return weight;
    return {};
  }

  [[nodiscard]] ImportanceMatrix result() const {
    ImportanceMatrix matrix;
    for (const auto& [weight, sums] : weights_) {
      Importance& entry = matrix.weights[weight];
      entry.n_columns = sums.squares.size();
      entry.n_tokens = {static_cast<double>(sums.n_tokens)};
      for (const double square : sums.squares)
        entry.mean_square.push_back(static_cast<float>(square / static_cast<double>(sums.n_tokens)));
    }
    return matrix;
  }

 private:
  struct Sums {
    std::vector<double> squares;  // [K]
    std::uint64_t n_tokens = 0;
  };
  ThreadPool& pool_;
  std::map<std::string, Sums, std::less<>> weights_;
};

/// Ends the tap's work however the function is left.
class TapGuard {
 public:
  TapGuard(Model& model, ActivationTap& tap) : model_(model) { model_.set_tap(&tap); }
  ~TapGuard() { model_.set_tap(nullptr); }
  TapGuard(const TapGuard&) = delete;
  TapGuard& operator=(const TapGuard&) = delete;

 private:
  Model& model_;
};

/// Whole windows of every text, one after the other: windows do not reach over the end of a text.
Result<std::vector<std::vector<TokenId>>> cut_windows(const Tokenizer& tokenizer,
                                                      const std::vector<CalibrationText>& texts,
                                                      const CalibrationOptions& options) {
  std::vector<std::vector<TokenId>> windows;
  std::size_t n_tokens = 0;
  for (const CalibrationText& text : texts) {
    const std::vector<TokenId> ids =
        tokenizer.encode(text.text, {.parse_special = false, .add_special = true});
    n_tokens += ids.size();
    for (std::size_t begin = 0; begin + options.ctx <= ids.size(); begin += options.ctx) {
      auto& window = windows.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                          ids.begin() + static_cast<std::ptrdiff_t>(begin + options.ctx));
      if (tokenizer.adds_bos()) window[0] = tokenizer.bos();
    }
  }
  if (windows.empty())
    return fail(
        ErrorKind::input, "",
        fmt::format("the calibration texts have {} tokens, less than one window of {}; give more text or "
                    "a smaller --ctx",
                    n_tokens, options.ctx));
  return windows;
}

/// `n` of the windows, evenly spread.
std::vector<std::vector<TokenId>> thin_out(std::vector<std::vector<TokenId>> windows, std::size_t n) {
  if (n == 0 || n >= windows.size()) return windows;
  std::vector<std::vector<TokenId>> chosen;
  for (std::size_t i = 0; i < n; ++i) chosen.push_back(std::move(windows[i * windows.size() / n]));
  return chosen;
}

Result<void> check_ctx(const Model& model, std::size_t ctx) {
  if (ctx >= 4 && ctx <= model.config().context_length) return {};
  return fail(ErrorKind::usage, "--ctx",
              fmt::format("{} is not between 4 and the model's context of {} tokens", ctx,
                          model.config().context_length));
}

}  // namespace

Result<ImportanceMatrix> calibrate_importance(Model& model, const Tokenizer& tokenizer,
                                              const std::vector<CalibrationText>& texts,
                                              const CalibrationOptions& options, ThreadPool& pool,
                                              Progress& progress) {
  KERF_CHECK_OK(check_ctx(model, options.ctx));
  KERF_TRY(auto windows, cut_windows(tokenizer, texts, options));
  windows = thin_out(std::move(windows), options.n_windows);
  SecondMoments moments(pool);
  const TapGuard guard(model, moments);
  const std::unique_ptr<KvCache> cache = model.make_cache(options.ctx);
  progress.start("calibrating", windows.size(), "windows");
  for (std::size_t i = 0; i < windows.size(); ++i) {
    cache->truncate(0);
    KERF_CHECK_OK(model.forward(windows[i], *cache, 0, nullptr));
    progress.advance(i + 1, {});
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted; nothing was written");
  }
  progress.finish();
  if (const std::string weight = moments.broken(); !weight.empty())
    return fail(ErrorKind::numeric, weight,
                "an activation that flows into it is not finite; «kerf verify» finds broken weights");
  ImportanceMatrix matrix = moments.result();
  for (const CalibrationText& text : texts) matrix.datasets.push_back(text.name);
  matrix.n_chunks = windows.size();
  matrix.chunk_size = options.ctx;
  return matrix;
}

}  // namespace kerf

#include "kerf/methods/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kerf/model/linear.h"

namespace kerf {
namespace {

/// Shows the inputs of every weight to its observers.
class ObserverTap final : public ActivationTap {
 public:
  ObserverTap(const std::vector<const ObserverKind*>& kinds, Calibration& calibration, ThreadPool& pool)
      : kinds_(kinds), calibration_(calibration), pool_(pool) {}

  /// Batches are numbered by the place of their first token in the whole run, whoever reads it.
  void begin_window(std::uint64_t first_token) {
    first_token_ = first_token;
    seen_.clear();
  }

  void input(std::span<const Linear> layers, const float* x, std::size_t n_tokens) override {
    std::vector<Job> jobs;
    for (const Linear& layer : layers) {
      const std::string site = layer.is_expert ? expert_site(layer.name, layer.matrix) : layer.name;
      const ActivationBatch batch{std::span(x, n_tokens * layer.n_cols()), layer.n_cols(),
                                  first_token_ + seen_[site]};
      seen_[site] += n_tokens;
      // An expert without tokens has its observers all the same: that it was never hit is to be told.
      for (const ObserverKind* kind : kinds_)
        jobs.push_back({&calibration_.at(site, *kind), batch, site, {}});
    }
    // An observer is one thread's at a time.
    pool_.parallel_for(jobs.size(), 1, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t i = begin; i < end; ++i) jobs[i].status = jobs[i].observer->observe(jobs[i].batch);
    });
    for (const Job& job : jobs)
      if (!job.status && status_)
        status_ = fail(job.status.error().kind, job.weight, job.status.error().what);
  }

  /// The first error that an observer had.
  [[nodiscard]] const Result<void>& status() const noexcept { return status_; }

 private:
  struct Job {
    Observer* observer;
    ActivationBatch batch;
    std::string weight;
    Result<void> status;
  };

  const std::vector<const ObserverKind*>& kinds_;
  Calibration& calibration_;
  ThreadPool& pool_;
  std::uint64_t first_token_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> seen_;  // tokens of this window, by weight
  Result<void> status_;
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

Result<void> check_options(const Model& model, const CalibrationOptions& options) {
  const std::size_t most = model.config().context_length;
  if (options.ctx < 4 || options.ctx > most)
    return fail(ErrorKind::usage, "--ctx",
                fmt::format("{} is not between 4 and the model's context of {} tokens", options.ctx, most));
  if (options.n_parts == 0 || options.part >= options.n_parts)
    return fail(ErrorKind::usage, "--part", "parts are numbered 1 … n");
  return {};
}

}  // namespace

Result<CalibrationRun> calibrate(Model& model, const Tokenizer& tokenizer,
                                 const std::vector<CalibrationText>& texts, const CalibrationOptions& options,
                                 ThreadPool& pool, Progress& progress) {
  KERF_CHECK_OK(check_options(model, options));
  KERF_TRY(const TokenWindows all, cut_windows(tokenizer, texts, options.ctx, model.config().n_vocabulary));
  const TokenWindows windows = spread_windows(all, options.n_windows);
  CalibrationRun run;
  ObserverTap tap(options.observers, run.calibration, pool);
  const TapGuard guard(model, tap);
  const std::unique_ptr<KvCache> cache = model.make_cache(options.ctx);
  progress.start("calibrating", (windows.size() + options.n_parts - 1 - options.part) / options.n_parts,
                 "windows");
  for (std::size_t i = options.part; i < windows.size(); i += options.n_parts) {
    cache->truncate(0);
    tap.begin_window(i * options.ctx);
    KERF_CHECK_OK(model.forward(windows[i], *cache, 0, nullptr));
    KERF_CHECK_OK(tap.status());
    progress.advance(++run.n_windows, {});
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted; nothing was written");
  }
  progress.finish();
  return run;
}

}  // namespace kerf

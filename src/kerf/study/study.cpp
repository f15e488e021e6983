#include "kerf/study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <regex>

#include "kerf/io/container.h"

namespace kerf::study {
namespace {

constexpr std::size_t kColumnsPerTensor = 3;
constexpr std::size_t kHeaviestColumns = 24;
constexpr double kExactBits = 32;  // what a sample of binary32 numbers may be stored in without loss

Rows make_rows(const Distribution& distribution, const StudyOptions& options, ThreadPool& pool) {
  Rows rows;
  rows.n_rows = options.n_rows;
  rows.row_length = options.row_length;
  rows.x.resize(rows.n_rows * rows.row_length);
  pool.parallel_for(rows.n_rows, 1, [&](std::size_t row, std::size_t, unsigned) {
    distribution.fill(options.seed, row, rows.x.data() + row * rows.row_length, rows.row_length);
  });
  return rows;
}

Score score_of(const Loss& loss) {
  Score out;
  if (!loss.fits()) return out;
  out.n_fitting = 1;
  out.bits = loss.bits_per_weight();
  out.relative_error = loss.relative_error();
  return out;
}

/// The mean relative error over the matrices that fit, each counting alike, and bits per number over all of
/// them, each counting with its size.
Score mean_score(const std::vector<TensorStudy>& tensors, std::size_t candidate) {
  Score out;
  double bits = 0, numbers = 0;
  for (const TensorStudy& tensor : tensors) {
    const Loss& loss = tensor.losses[candidate];
    if (!loss.fits()) continue;
    ++out.n_fitting;
    out.relative_error += loss.relative_error();
    bits += loss.bits_per_weight() * static_cast<double>(tensor.summary.n());
    numbers += static_cast<double>(tensor.summary.n());
  }
  if (out.n_fitting == 0) return out;
  out.relative_error /= static_cast<double>(out.n_fitting);
  out.bits = bits / numbers;
  return out;
}

void finish(SourceScores& source, const Candidates& candidates) {
  for (Score& score : source.scores) {
    if (!score.fits()) continue;
    score.sqnr_db = decibels(score.relative_error);
    score.to_bound_db = source.bound_at_0 + gaussian_bound_db(score.bits) - score.sqnr_db;
  }
  judge(source, candidates);
}

class Study {
 public:
  Study(StudyOptions options, ThreadPool& pool, Progress& progress) : pool_(pool), progress_(progress) {
    report_.options = std::move(options);
  }

  Result<StudyReport> run() {
    KERF_CHECK_OK(choose_tensors());
    const StudyOptions& options = report_.options;
    std::uint64_t total = options.distributions.size() * options.n_rows * options.row_length;
    for (const StoredTensor* tensor : tensors_) total += rows_of(*tensor) * tensor->row_length();
    Tracker tracker(progress_, total * options.candidates.size());
    if (!options.model.empty()) KERF_CHECK_OK(study_model(tracker));
    for (const Distribution& distribution : options.distributions)
      KERF_CHECK_OK(study_distribution(distribution, tracker));
    progress_.finish();
    KERF_CHECK_OK(time_candidates());
    return std::move(report_);
  }

 private:
  [[nodiscard]] std::uint64_t rows_of(const StoredTensor& tensor) const {
    const std::uint64_t wanted = report_.options.model_rows;
    return wanted == 0 ? tensor.n_rows() : std::min(wanted, tensor.n_rows());
  }

  Result<void> choose_tensors();
  Result<void> study_model(Tracker& tracker);
  [[nodiscard]] std::optional<std::size_t> candidate_to_show(const SourceScores& source) const;
  Result<void> show_levels_on_model();
  Result<void> show_levels_on_sample(const Rows& rows);
  Result<void> study_distribution(const Distribution& distribution, Tracker& tracker);
  Result<void> time_candidates();

  ThreadPool& pool_;
  Progress& progress_;
  Container container_;
  std::vector<const StoredTensor*> tensors_;
  StudyReport report_;
};

Result<void> Study::choose_tensors() {
  const StudyOptions& options = report_.options;
  if (options.model.empty()) return {};
  std::regex expression;
  try {
    expression = std::regex(options.tensors, std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    return fail(ErrorKind::usage, "--tensor",
                fmt::format("«{}» is not a regular expression", options.tensors));
  }
  KERF_TRY(container_, open_container(options.model));
  bool any_match = false;
  for (const StoredTensor& tensor : container_.tensors) {
    if (!std::regex_search(tensor.name, expression)) continue;
    any_match = true;
    // Vectors (norms, biases) stay as they are in every recipe.
    if (tensor.shape.size() >= 2 && tensor.n_rows() > 1 && tensor.row_length() > 1)
      tensors_.push_back(&tensor);
  }
  const std::string where = options.model.string();
  if (!tensors_.empty()) return {};
  if (options.tensors.empty()) return fail(ErrorKind::not_found, where, "has no matrices to study");
  if (any_match)
    return fail(ErrorKind::not_found, where,
                fmt::format("what matches «{}» are vectors; the study rounds matrices", options.tensors));
  return fail(ErrorKind::not_found, where,
              fmt::format("has no tensor whose name matches «{}»; «kerf inspect --tensors» lists them",
                          options.tensors));
}

Result<void> Study::study_model(Tracker& tracker) {
  const StudyOptions& options = report_.options;
  ModelStudy model;
  model.path = options.model;
  SourceScores source;
  source.name = "model";
  source.title = options.model.filename().string();
  if (source.title.empty()) source.title = options.model.parent_path().filename().string();
  source.is_model = true;
  source.n_matrices = tensors_.size();
  for (const StoredTensor* tensor : tensors_) {
    TensorStudy study;
    KERF_TRY(study.summary, summarize(*tensor, kColumnsPerTensor, pool_));
    const Rows rows = sample_rows(*tensor, options.model_rows);
    KERF_TRY(study.losses, measure(options.candidates, rows, pool_, tracker, tensor->name));
    source.n_numbers += rows.x.size();
    tensor->file->release(tensor->bytes);
    for (const HeavyColumn& column : study.summary.columns) model.heaviest.push_back(column);
    model.tensors.push_back(std::move(study));
  }
  std::stable_sort(
      model.heaviest.begin(), model.heaviest.end(),
      [](const HeavyColumn& a, const HeavyColumn& b) { return a.max_over_rms > b.max_over_rms; });
  if (model.heaviest.size() > kHeaviestColumns) model.heaviest.resize(kHeaviestColumns);
  for (std::size_t i = 0; i < options.candidates.size(); ++i)
    source.scores.push_back(mean_score(model.tensors, i));
  finish(source, report_.options.candidates);
  report_.sources.push_back(std::move(source));
  report_.model = std::move(model);
  return show_levels_on_model();
}

/// Unasked: the best of at most 4½ bits that has a grid to draw and fits everywhere.
std::optional<std::size_t> Study::candidate_to_show(const SourceScores& source) const {
  const StudyOptions& options = report_.options;
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < options.candidates.size(); ++i) {
    const Candidate& candidate = *options.candidates[i];
    const Score& score = source.scores[i];
    if (!options.levels_of.empty()) {
      if (candidate.name() == options.levels_of && score.fits()) return i;
      continue;
    }
    const bool has_grid = candidate.format() != nullptr && candidate.format()->grid != nullptr;
    if (has_grid && score.n_fitting == source.n_matrices && score.bits <= 4.5 &&
        (!chosen || score.sqnr_db > source.scores[*chosen].sqnr_db))
      chosen = i;
  }
  return chosen;
}

/// Over the matrix with the heaviest tails among those that fit: there levels matter most.
Result<void> Study::show_levels_on_model() {
  const std::optional<std::size_t> chosen = candidate_to_show(report_.sources.front());
  if (!chosen) return {};
  const StoredTensor* heaviest = nullptr;
  double kurtosis = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const TensorStudy& study = report_.model->tensors[i];
    if (!study.losses[*chosen].fits() || (heaviest != nullptr && study.summary.kurtosis <= kurtosis))
      continue;
    heaviest = tensors_[i];
    kurtosis = study.summary.kurtosis;
  }
  constexpr std::uint64_t kRows = 64;
  KERF_TRY(report_.levels, level_use(*report_.options.candidates[*chosen], sample_rows(*heaviest, kRows)));
  report_.levels->tensor = heaviest->name;
  return {};
}

Result<void> Study::show_levels_on_sample(const Rows& rows) {
  const std::optional<std::size_t> chosen = candidate_to_show(report_.sources.front());
  if (!chosen) return {};
  KERF_TRY(report_.levels, level_use(*report_.options.candidates[*chosen], rows));
  report_.levels->tensor = report_.sources.front().title;
  return {};
}

Result<void> Study::study_distribution(const Distribution& distribution, Tracker& tracker) {
  const Rows rows = make_rows(distribution, report_.options, pool_);
  KERF_TRY(const std::vector<Loss> losses,
           measure(report_.options.candidates, rows, pool_, tracker, distribution.title()));
  SourceScores source;
  source.name = distribution.name();
  source.title = distribution.title();
  source.bound_is_exact = distribution.bound_is_exact();
  source.bound_at_0 = distribution.bound_db(0);
  source.n_numbers = rows.x.size();
  for (const Loss& loss : losses) source.scores.push_back(score_of(loss));
  finish(source, report_.options.candidates);
  report_.sources.push_back(std::move(source));
  if (report_.sources.size() == 1) KERF_CHECK_OK(show_levels_on_sample(rows));
  return {};
}

Result<void> Study::time_candidates() {
  const StudyOptions& options = report_.options;
  report_.speeds.resize(options.candidates.size());
  if (!options.speed) return {};
  KERF_TRY(const Distribution gaussian, Distribution::make("gaussian"));
  StudyOptions small;
  small.n_rows = 16;  // of 4096 numbers, which every block divides
  const Rows rows = make_rows(gaussian, small, pool_);
  progress_.start("timing", options.candidates.size(), "formats");
  for (std::size_t i = 0; i < options.candidates.size(); ++i) {
    if (progress_.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted");
    const Candidate& candidate = *options.candidates[i];
    if (candidate.format() != nullptr && candidate.fits(rows.row_length))
      report_.speeds[i] = time_candidate(candidate, rows);
    progress_.advance(i + 1, candidate.name());
  }
  progress_.finish();
  return {};
}

bool comparable(const SourceScores& source, const Score& score) {
  return score.n_fitting == source.n_matrices && !score.exact() && std::isfinite(score.sqnr_db);
}

bool better(const Score& other, const Score& score) {
  return other.sqnr_db > score.sqnr_db || (other.sqnr_db == score.sqnr_db && other.bits < score.bits);
}

/// Whether another candidate of the same class of bits or of fewer does better than candidate i; only others
/// of its family count if `in_family`.
bool outdone(const SourceScores& source, const Candidates& candidates, std::size_t i, bool in_family) {
  const Score& score = source.scores[i];
  for (std::size_t k = 0; k < source.scores.size(); ++k) {
    const Score& other = source.scores[k];
    if (!comparable(source, other) || bit_class(other.bits) > bit_class(score.bits)) continue;
    if (in_family && candidates[k]->family() != candidates[i]->family()) continue;
    if (better(other, score)) return true;
  }
  return false;
}

}  // namespace

double bit_class(double bits) noexcept {
  return std::ceil(2 * (bits - kHeaderBits) - 1e-6) / 2;
}

void judge(SourceScores& source, const Candidates& candidates) {
  // Four standard deviations of the relative error of a sample with the fourth moment of Student's t of 5
  // degrees, the heaviest tails that are usual here.
  const double allowance_db =
      10 * std::log10(1 + 4 * std::sqrt(8 / std::max(1.0, static_cast<double>(source.n_numbers))));
  for (std::size_t i = 0; i < source.scores.size(); ++i) {
    Score& score = source.scores[i];
    score.below_bound = !source.is_model && score.fits() &&
                        (score.exact() ? score.bits < kExactBits : score.to_bound_db < -allowance_db);
    score.best = comparable(source, score) && !outdone(source, candidates, i, false);
    const Format* format = candidates[i]->format();
    score.leads = (format != nullptr && format->in_gguf()) || score.below_bound || score.best ||
                  (comparable(source, score) && !outdone(source, candidates, i, true));
  }
}

std::vector<std::size_t> StudyReport::by_bits(const SourceScores& source, Selection selection) const {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < source.scores.size(); ++i)
    if (const Score& score = source.scores[i]; score.fits() && (score.leads || selection == Selection::all))
      order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Score &x = source.scores[a], &y = source.scores[b];
    return x.bits != y.bits ? x.bits < y.bits : x.sqnr_db > y.sqnr_db;
  });
  return order;
}

std::size_t StudyReport::n_hidden(Selection selection) const {
  std::size_t n = 0;
  for (std::size_t i = 0; i < candidates().size(); ++i)
    n += selection == Selection::leading &&
         std::none_of(sources.begin(), sources.end(),
                      [&](const SourceScores& source) { return source.scores[i].leads; });
  return n;
}

Result<StudyReport> run_study(StudyOptions options, ThreadPool& pool, Progress& progress) {
  if (options.model.empty() && options.distributions.empty())
    return fail(ErrorKind::usage, "", "nothing to study: name a model or a distribution");
  if (!options.distributions.empty() &&
      std::none_of(options.candidates.begin(), options.candidates.end(),
                   [&](const auto& candidate) { return candidate->fits(options.row_length); }))
    return fail(ErrorKind::usage, "--row-length",
                fmt::format("rows of {} numbers are no whole number of blocks of any chosen format",
                            options.row_length));
  return Study(std::move(options), pool, progress).run();
}

}  // namespace kerf::study

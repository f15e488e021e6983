#include "kerf/methods/format_costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kerf/base/bits.h"
#include "kerf/kernels/kernel.h"
#include "kerf/methods/recipe.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

constexpr std::size_t kSurveyTensors = 8;
constexpr std::size_t kSurveyRows = 4;
constexpr double kSpread = 0.3;  // log₂ of losses: what is worse on average may be better for a tensor
constexpr double kFewerBits = 0.25;
constexpr double kExact = -40;  // log₂ of a relative loss that is none
constexpr std::uint64_t kPadding = 32;

/// Rows of a tensor with the weights of their columns.
struct Sample {
  std::size_t n_rows = 0;
  std::size_t n_cols = 0;
  double scale = 1;               ///< rows of the tensor that each stands for
  std::vector<float> x;           // [n_rows, n_cols]
  std::vector<float> importance;  // [n_rows, n_cols] where matrices differ, else [1, n_cols]

  [[nodiscard]] const float* importance_of(std::size_t row) const {
    return importance.data() + (importance.size() > n_cols ? row * n_cols : 0);
  }
};

Result<Sample> draw(const ModelSource& source, const SourceTensor& tensor, const Importance& importance,
                    std::size_t n_rows) {
  Sample sample;
  sample.n_cols = tensor.row_length();
  sample.n_rows = std::min<std::size_t>(n_rows, tensor.n_rows());
  sample.scale = static_cast<double>(tensor.n_rows()) / static_cast<double>(sample.n_rows);
  sample.x.resize(sample.n_rows * sample.n_cols);
  const std::size_t n_matrices = importance.n_matrices();
  if (importance.n_columns != sample.n_cols || n_matrices == 0 || tensor.n_rows() % n_matrices != 0)
    return fail(
        ErrorKind::input, tensor.name,
        fmt::format("the importance matrix has {} columns for it instead of {}; it is of another model",
                    importance.n_columns, sample.n_cols));
  sample.importance.resize((n_matrices > 1 ? sample.n_rows : 1) * sample.n_cols);
  for (std::size_t r = 0; r < sample.n_rows; ++r) {
    const std::uint64_t row = (2 * r + 1) * tensor.n_rows() / (2 * sample.n_rows);
    float* x = sample.x.data() + r * sample.n_cols;
    KERF_CHECK_OK(source.read_rows(tensor, row, 1, x));
    for (std::size_t i = 0; i < sample.n_cols; ++i)
      if (!std::isfinite(x[i]))
        return fail(ErrorKind::numeric, tensor.name,
                    fmt::format("holds {} at row {}; the model is broken", x[i], row));
    if (n_matrices > 1 || r == 0)
      std::copy_n(importance.mean_square.data() + row / (tensor.n_rows() / n_matrices) * sample.n_cols,
                  sample.n_cols, sample.importance.data() + r * sample.n_cols);
  }
  return sample;
}

/// ½ Σ h (x − x̂)² of the whole tensor.
double loss_of(const Format& format, const Sample& sample, int effort) {
  std::vector<std::uint8_t> bytes(format.row_bytes(sample.n_cols));
  std::vector<float> back(sample.n_cols);
  double loss = 0;
  for (std::size_t r = 0; r < sample.n_rows; ++r) {
    const float* x = sample.x.data() + r * sample.n_cols;
    const float* h = sample.importance_of(r);
    quantize_row(format, x, h, bytes.data(), sample.n_cols, {effort});
    format.decode(bytes.data(), back.data(), sample.n_cols);
    double row = 0;
    for (std::size_t i = 0; i < sample.n_cols; ++i) {
      const double difference = static_cast<double>(x[i]) - back[i];
      row += h[i] * difference * difference;
    }
    loss += row;
  }
  return 0.5 * sample.scale * loss;
}

bool has_fast_kernel(const Format& format) {
  const kernels::KernelTable& table = kernels::active_table();
  return format.in_gguf() &&
         std::any_of(table.encoded, table.encoded + table.n_encoded,
                     [&](const auto& rows) { return rows.gguf_type == format.gguf_type; });
}

bool allowed(const Format& format, std::uint64_t row_length, const CostOptions& options) {
  return format.writable() && !format.plain() && format.fits(row_length) &&
         (!options.only_gguf || format.in_gguf()) && (!options.only_fast || has_fast_kernel(format));
}

struct Candidate {
  const Format* format;
  double bits;
  double log_error;  ///< log₂ of the mean relative loss
};

/// Without those that another one beats clearly: with no more bits by more than the spread between tensors,
/// or with fewer bits at all. Not the convex hull: numbers on a grid make that steep, and a budget must have
/// something to choose between the format of the grid and the smallest.
std::vector<const Format*> near_frontier(const std::vector<Candidate>& candidates) {
  const auto beats = [](const Candidate& a, const Candidate& b) {
    return (a.bits <= b.bits && a.log_error < b.log_error - kSpread) ||
           (a.bits <= b.bits - kFewerBits && a.log_error <= b.log_error);
  };
  std::vector<const Format*> kept;
  for (const Candidate& c : candidates)
    if (std::none_of(candidates.begin(), candidates.end(), [&](const Candidate& o) { return beats(o, c); }))
      kept.push_back(c.format);
  return kept;
}

/// Matrices with rows of one length share a list of candidates.
class Survey {
 public:
  Survey(const ModelSource& source, const ImportanceMatrix& importance, const CostOptions& options,
         ThreadPool& pool)
      : source_(source), importance_(importance), options_(options), pool_(pool) {}

  Result<std::vector<const Format*>> candidates(const std::vector<const SourceTensor*>& tensors) {
    std::vector<Sample> samples;
    const std::size_t n = std::min(kSurveyTensors, tensors.size());
    for (std::size_t i = 0; i < n; ++i) {
      const SourceTensor& tensor = *tensors[(2 * i + 1) * tensors.size() / (2 * n)];
      KERF_TRY(Sample sample, draw(source_, tensor, *importance_.find(tensor.name), kSurveyRows));
      samples.push_back(std::move(sample));
    }
    std::vector<Candidate> found;
    for (const Format* format : all_formats())
      if (allowed(*format, tensors.front()->row_length(), options_))
        found.push_back({format, format->bits_per_weight(tensors.front()->row_length()), 0});
    pool_.parallel_for(found.size(), 1, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t i = begin; i < end; ++i)
        found[i].log_error = mean_log_error(*found[i].format, samples);
    });
    std::vector<const Format*> kept = near_frontier(found);
    // Where the model's numbers are on the grid of a format already, that one beats all with more bits; who
    // asks for more bits must find some.
    std::erase_if(found, [](const Candidate& c) { return c.log_error <= kExact; });
    for (const Format* format : found.empty() ? std::vector<const Format*>{} : near_frontier(found))
      if (std::find(kept.begin(), kept.end(), format) == kept.end()) kept.push_back(format);
    return kept;
  }

 private:
  /// Mean over tensors of log₂ of the loss relative to that of rounding everything to zero.
  double mean_log_error(const Format& format, const std::vector<Sample>& samples) const {
    double sum = 0;
    for (const Sample& sample : samples) {
      double power = 0;
      for (std::size_t i = 0; i < sample.x.size(); ++i)
        power += 0.5 * sample.scale * sample.importance_of(i / sample.n_cols)[i % sample.n_cols] *
                 static_cast<double>(sample.x[i]) * sample.x[i];
      if (power > 0) sum += std::max(std::log2(loss_of(format, sample, options_.effort) / power), kExact);
    }
    return sum / static_cast<double>(samples.size());
  }

  const ModelSource& source_;
  const ImportanceMatrix& importance_;
  const CostOptions& options_;
  ThreadPool& pool_;
};

/// Indices of the weight matrices, all of which have importance.
Result<std::vector<std::size_t>> weight_matrices(const ModelSource& source,
                                                 const ImportanceMatrix& importance) {
  KERF_TRY(const std::vector<Assignment> kept, assign_formats(source, {.type = "keep"}));
  std::vector<std::size_t> matrices;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i].reason.empty()) continue;
    const std::string& name = source.tensors()[i].name;
    if (importance.find(name) == nullptr)
      return fail(ErrorKind::input, name,
                  "the importance matrix does not know this tensor; make one with kerf calibrate --guided");
    matrices.push_back(i);
  }
  return matrices;
}

std::uint64_t stored_bytes(const SourceTensor& tensor, const Format& format) {
  return round_up(tensor.n_rows() * format.row_bytes(tensor.row_length()), kPadding);
}

}  // namespace

Result<std::vector<TensorCosts>> measure_costs(const ModelSource& source, const ImportanceMatrix& importance,
                                               const CostOptions& options, ThreadPool& pool,
                                               Progress& progress) {
  KERF_TRY(const std::vector<std::size_t> matrices, weight_matrices(source, importance));
  std::map<std::uint64_t, std::vector<const SourceTensor*>> by_length;
  for (const std::size_t i : matrices)
    by_length[source.tensors()[i].row_length()].push_back(&source.tensors()[i]);
  std::map<std::uint64_t, std::vector<const Format*>> candidates;
  Survey survey(source, importance, options, pool);
  for (const auto& [length, tensors] : by_length) {
    KERF_TRY(candidates[length], survey.candidates(tensors));
    if (candidates[length].empty())
      return fail(ErrorKind::unsupported, tensors.front()->name,
                  fmt::format("no allowed format fits rows of {}", length));
  }
  progress.start("measuring formats", matrices.size(), "tensors");
  std::vector<TensorCosts> all;
  for (const std::size_t i : matrices) {
    const SourceTensor& tensor = source.tensors()[i];
    KERF_TRY(const Sample sample,
             draw(source, tensor, *importance.find(tensor.name),
                  std::max<std::size_t>(16, options.numbers_per_tensor / tensor.row_length())));
    TensorCosts costs{i, candidates[tensor.row_length()], {}};
    costs.options.resize(costs.formats.size());
    pool.parallel_for(costs.formats.size(), 1, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t k = begin; k < end; ++k)
        costs.options[k] = {stored_bytes(tensor, *costs.formats[k]),
                            loss_of(*costs.formats[k], sample, options.effort)};
    });
    all.push_back(std::move(costs));
    progress.advance(all.size(), tensor.name);
    if (progress.cancelled()) return fail(ErrorKind::cancelled, tensor.name, "interrupted");
  }
  progress.finish();
  return all;
}

}  // namespace kerf

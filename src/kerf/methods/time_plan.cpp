#include "kerf/methods/time_plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "kerf/methods/calibrated_run.h"

namespace kerf {
namespace {

// The first window warms caches and buffers up, the others are timed.
constexpr std::size_t kProbeWindows = 3;
constexpr std::uint64_t kProbeNumbers = 1 << 19;  // of weights, for each format
// Reading the input for its checksum, writing finished tensors and putting them together.
constexpr double kBytesPerSecond = 1e9;

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

SourceTensor first_rows(SourceTensor tensor) {
  const std::uint64_t n_rows =
      std::clamp<std::uint64_t>(kProbeNumbers / tensor.row_length(), 1, tensor.n_rows());
  tensor.shape = {n_rows, tensor.row_length()};
  return tensor;
}

/// What happens before the walk, in windows through all layers: sensitivities take a forward, another one on
/// the way back and as much as one for the gradients; so does the output matrix, by its size.
double windows_before(const Method& method, const ModelEnds& ends, const ModelConfig& config,
                      double n_windows) {
  if (method.needs == Method::Needs::sensitivities) {
    const double per_layer = static_cast<double>(config.width) *
                             static_cast<double>(2 * (config.q_width() + config.kv_width()) +
                                                 (config.mlp == MlpKind::plain ? 2 : 3) * config.ffn_width);
    const double head = static_cast<double>(config.width) * static_cast<double>(config.n_vocabulary);
    return n_windows * (3.0 + 2.0 * head / (per_layer * static_cast<double>(config.n_layers)));
  }
  return ends.output.name == ends.embedding.name ? std::min(n_windows, 1.0 * kHeadWindows) : 0.0;
}

/// What happens behind the walk, in windows through all layers: two walks, and layers that learn. A step back
/// takes about as long as two forwards.
double windows_behind(const Method& method, int effort, double n_windows) {
  if (!method.learns_layers) return 0;
  return 2 * n_windows + 3.5 * static_cast<double>(learning_passes(effort)) +
         11 * std::floor(n_windows / 8);  // looks at what is held back
}

class TimeProbe {
 public:
  TimeProbe(const ModelSource& source, const QuantizePlan& plan, const CalibratedPlan& calibrated,
            const CalibratedOptions& options, ThreadPool& pool)
      : source_(source),
        plan_(plan),
        calibrated_(calibrated),
        options_(options),
        pool_(pool),
        baseline_({}, options.tuning.search) {}

  Result<double> run(const std::filesystem::path& folder);

 private:
  using Gather = FunctionRef<Result<void>(CalibrationWalk::Sink)>;

  /// Times the windows of a stage, with and without what watches them, and makes the stage's rounder.
  Result<void> stage(std::span<const Linear> linears, Gather gather);
  Result<void> stretching(std::span<const Linear> linears, Gram& inputs);
  /// Seconds per weight to round tensors of this format and row length.
  Result<double> rounding(std::size_t index, const RowRounder& rounder);
  Result<double> rounding_of_all(const ModelEnds& ends);

  const ModelSource& source_;
  const QuantizePlan& plan_;
  const CalibratedPlan& calibrated_;
  const CalibratedOptions& options_;
  ThreadPool& pool_;
  ColumnRounder baseline_;
  double forward_ = 0;                                           // a window through a layer
  double watching_ = 0;                                          // a window of a layer's statistics
  double making_ = 0;                                            // a layer's rounders
  std::map<std::size_t, std::unique_ptr<RowRounder>> rounders_;  // by length of rows
};

Result<void> TimeProbe::stage(std::span<const Linear> linears, Gather gather) {
  const bool diagonal = options_.method->needs == Method::Needs::diagonal;
  const std::size_t n_cols = linears[0].n_cols();
  const std::size_t n_watches = options_.method->needs == Method::Needs::sensitivities ? linears.size() : 1;
  Gram inputs(n_cols, diagonal ? Gram::Moments::diagonal : Gram::Moments::full);
  std::vector<double> forward, watching;
  Stopwatch since_window;
  KERF_CHECK_OK(gather([&](std::size_t, const float* x) -> Result<void> {
    forward.push_back(since_window.seconds());
    const Stopwatch watch;
    KERF_CHECK_OK(inputs.add(x, calibrated_.windows.ctx(), nullptr, pool_));
    watching.push_back(watch.seconds());
    since_window = Stopwatch();
    return {};
  }));
  forward_ += *std::min_element(forward.begin(), forward.end());
  watching_ += static_cast<double>(n_watches) * *std::min_element(watching.begin(), watching.end());
  if (options_.method->column_factors != nullptr) KERF_CHECK_OK(stretching(linears, inputs));
  const Stopwatch watch;
  KERF_TRY(rounders_[n_cols], options_.method->make_rounder(&inputs, options_.tuning, pool_));
  making_ += static_cast<double>(n_watches) * watch.seconds();
  return {};
}

Result<void> TimeProbe::stretching(std::span<const Linear> linears, Gram& inputs) {
  // Some rows of the first weight stand for all of them.
  const SourceTensor* first = source_.find(linears[0].name);
  const SourceTensor some = first_rows(*first);
  const auto index = static_cast<std::size_t>(first - source_.tensors().data());
  const ScaleJob job{source_, {&some}, {plan_.tensors[index].format}, inputs, options_.tuning, pool_};
  const Stopwatch watch;
  KERF_CHECK_OK(options_.method->column_factors(job));
  std::uint64_t n_rows = 0;
  for (const Linear& linear : linears) n_rows += linear.n_rows();
  making_ += watch.seconds() * static_cast<double>(n_rows) / static_cast<double>(some.n_rows());
  return {};
}

Result<double> TimeProbe::rounding(std::size_t index, const RowRounder& rounder) {
  const SourceTensor some = first_rows(source_.tensors()[index]);
  const RowRounder* const list[] = {&rounder};
  const auto sink = [](Bytes) -> Result<void> { return {}; };
  const auto advance = [](std::uint64_t) -> Result<void> { return {}; };
  const Stopwatch watch;
  KERF_CHECK_OK(
      round_tensor({source_, some, *plan_.tensors[index].format, list, &baseline_}, sink, pool_, advance));
  return watch.seconds() / static_cast<double>(some.n_elements());
}

Result<double> TimeProbe::rounding_of_all(const ModelEnds& ends) {
  std::map<std::pair<const Format*, std::size_t>, double> per_weight;
  double seconds = 0;
  for (std::size_t i = 0; i < plan_.tensors.size(); ++i) {
    const SourceTensor& tensor = source_.tensors()[i];
    if (plan_.tensors[i].format == tensor.format || tensor.shape.size() != 2) continue;
    const bool is_end = tensor.name == ends.embedding.name;
    const auto rounder = rounders_.find(tensor.row_length());
    const bool known = !is_end && rounder != rounders_.end();
    const RowRounder& by = known ? *rounder->second : static_cast<const RowRounder&>(baseline_);
    auto [place, is_new] = per_weight.try_emplace({plan_.tensors[i].format, known ? tensor.row_length() : 0});
    if (is_new) {
      KERF_TRY(place->second, rounding(i, by));
    }
    seconds += place->second * static_cast<double>(tensor.n_elements());
  }
  return seconds;
}

Result<double> TimeProbe::run(const std::filesystem::path& folder) {
  KERF_TRY(ModelConfig config, config_from_metadata(source_.metadata()));
  KERF_TRY(const ModelEnds ends, load_ends(source_, config));
  KERF_TRY(const LayerWeights layer, load_layer(source_, config, 0));
  const TokenWindows windows = spread_windows(calibrated_.windows, kProbeWindows);
  KERF_TRY(const auto walk, CalibrationWalk::begin(config, ends, windows, {}, folder, pool_));
  KERF_CHECK_OK(walk->embed(ends, [](std::size_t) -> Result<void> { return {}; }));
  const bool is_local = config.layer_is_local[0];
  using Sink = CalibrationWalk::Sink;
  KERF_CHECK_OK(stage(layer.qkv, [&](Sink sink) { return walk->attention_inputs(layer, sink); }));
  KERF_CHECK_OK(
      stage({&layer.attention_output, 1}, [&](Sink sink) { return walk->attended(layer, is_local, sink); }));
  KERF_CHECK_OK(stage(layer.mlp_input, [&](Sink sink) { return walk->mlp_inputs(layer, sink); }));
  KERF_CHECK_OK(stage({&layer.mlp_output, 1}, [&](Sink sink) { return walk->mlp_inners(layer, sink); }));
  const Stopwatch watch;
  KERF_CHECK_OK(walk->finish_layer(layer, [](std::size_t) -> Result<void> { return {}; }));
  forward_ += watch.seconds() / static_cast<double>(windows.size());

  KERF_TRY(const double rounding, rounding_of_all(ends));
  const auto n_windows = static_cast<double>(calibrated_.windows.size());
  const auto n_layers = static_cast<double>(config.n_layers);
  double source_bytes = 0;
  for (const SourceTensor& tensor : source_.tensors())
    source_bytes += static_cast<double>(tensor.n_rows() * tensor.format->row_bytes(tensor.row_length()));
  double seconds = n_layers * (n_windows * (forward_ + watching_) + making_) + rounding +
                   (source_bytes + 2.0 * static_cast<double>(plan_.output_bytes)) / kBytesPerSecond;
  seconds += n_layers * forward_ *
             (windows_before(*options_.method, ends, config, n_windows) +
              windows_behind(*options_.method, options_.tuning.search.effort, n_windows));
  return seconds;
}

}  // namespace

Result<double> expected_seconds(const ModelSource& source, const QuantizePlan& plan,
                                const CalibratedPlan& calibrated, const CalibratedOptions& options,
                                const std::filesystem::path& folder, ThreadPool& pool) {
  return TimeProbe(source, plan, calibrated, options, pool).run(folder);
}

}  // namespace kerf

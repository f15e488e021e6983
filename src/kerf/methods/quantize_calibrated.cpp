#include "kerf/methods/quantize_calibrated.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "kerf/base/check.h"
#include "kerf/methods/part_file.h"
#include "kerf/methods/run_identity.h"
#include "kerf/methods/token_weights.h"

namespace kerf {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight";

class CalibratedRun {
 public:
  CalibratedRun(const ModelSource& source, const QuantizePlan& plan, const CalibratedPlan& calibrated,
                const CalibratedOptions& options, PartFile& part, ThreadPool& pool, Progress& progress)
      : source_(source),
        plan_(plan),
        calibrated_(calibrated),
        options_(options),
        part_(part),
        pool_(pool),
        progress_(progress),
        baseline_({}, options.tuning.search) {
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) index_[plan.tensors[i].name] = i;
  }

  Result<void> run(const std::filesystem::path& folder);

 private:
  using After = FunctionRef<Result<void>(std::size_t)>;
  using Gather = FunctionRef<Result<void>(CalibrationWalk::Sink)>;

  [[nodiscard]] const SourceTensor& tensor(const Linear& linear) const {
    return source_.tensors()[index_.at(linear.name)];
  }
  /// Whether the plan wants another format than the source has.
  [[nodiscard]] bool changes(const Linear& linear) const {
    const std::size_t i = index_.at(linear.name);
    return plan_.tensors[i].format != source_.tensors()[i].format;
  }
  [[nodiscard]] bool is_open(const Linear& linear) const {
    return changes(linear) && part_.find(linear.name) == nullptr;
  }
  [[nodiscard]] bool any_open(std::span<const Linear> linears) const {
    return std::any_of(linears.begin(), linears.end(), [&](const Linear& l) { return is_open(l); });
  }

  Result<void> round_embedding(ModelEnds& ends, ModelConfig& config, const std::filesystem::path& folder);
  Result<std::vector<float>> embedding_columns(const ModelEnds& ends, const ModelConfig& config,
                                               const std::filesystem::path& folder);
  Result<void> watch_head(const ModelEnds& ends, const ModelConfig& config,
                          const std::filesystem::path& folder, Gram& inputs);
  Result<void> run_layer(CalibrationWalk& walk, const ModelConfig& config, std::size_t index);
  struct Watch;
  Result<std::vector<Watch>> watches(std::span<Linear> linears);
  Result<void> stage(std::span<Linear> linears, Gather gather);
  Result<void> round(Watch& watch);
  Result<void> round_one(const Linear& linear, const RowRounder& rounder);
  Result<void> use_new_bytes(Linear& linear);
  void release(const LayerWeights& layer) const;

  Result<void> advance(std::uint64_t weights, std::string_view tensor) {
    progress_.advance(std::min(done_ + weights, total_), fmt::format("{}  {}", tensor, last_error_));
    if (progress_.cancelled())
      return fail(ErrorKind::cancelled, "", "interrupted; --resume with the same command goes on from here");
    return {};
  }
  [[nodiscard]] static std::uint64_t weights_of(std::span<const Linear> linears) {
    std::uint64_t n = 0;
    for (const Linear& l : linears) n += l.n_rows() * l.n_cols();
    return n;
  }

  const ModelSource& source_;
  const QuantizePlan& plan_;
  const CalibratedPlan& calibrated_;
  const CalibratedOptions& options_;
  PartFile& part_;
  ThreadPool& pool_;
  Progress& progress_;
  ColumnRounder baseline_;
  std::unordered_map<std::string, std::size_t> index_;  // of tensors by name
  std::uint64_t done_ = 0;                              // weights
  std::uint64_t total_ = 0;
  std::string last_error_;
};

Result<void> CalibratedRun::run(const std::filesystem::path& folder) {
  KERF_TRY(ModelConfig config, config_from_metadata(source_.metadata()));
  KERF_TRY(ModelEnds ends, load_ends(source_, config));
  if (options_.method->needs == Method::Needs::sensitivities)
    KERF_CHECK_OK(prepare_token_weights(source_, calibrated_.windows, part_, pool_, progress_));
  KERF_CHECK_OK(round_embedding(ends, config, folder));
  done_ = 0;
  total_ = is_open(ends.output) ? weights_of({&ends.output, 1}) : 0;
  for (const SourceTensor& t : source_.tensors())
    if (t.name.starts_with("blk.") && t.shape.size() >= 2) total_ += t.n_elements();
  progress_.start("quantizing", total_, "weights");
  KERF_TRY(const auto walk, CalibrationWalk::begin(config, ends, calibrated_.windows,
                                                   calibrated_.memory.spill, folder, pool_));
  KERF_CHECK_OK(walk->embed(ends, [&](std::size_t) -> Result<void> {
    source_.release(tensor(ends.embedding));
    part_.release(kEmbedding);
    return advance(0, "embedding");
  }));
  for (std::size_t i = 0; i < config.n_layers; ++i) KERF_CHECK_OK(run_layer(*walk, config, i));
  if (is_open(ends.output))
    KERF_CHECK_OK(
        stage({&ends.output, 1}, [&](CalibrationWalk::Sink sink) { return walk->head_inputs(ends, sink); }));
  progress_.finish();
  return {};
}

/// The embedding comes first, for everything reads what it makes.
Result<void> CalibratedRun::round_embedding(ModelEnds& ends, ModelConfig& config,
                                            const std::filesystem::path& folder) {
  if (is_open(ends.embedding)) {
    total_ = weights_of({&ends.embedding, 1});
    progress_.start("rounding the embedding", total_, "weights");
    KERF_TRY(std::vector<float> columns, embedding_columns(ends, config, folder));
    KERF_CHECK_OK(round_one(ends.embedding, ColumnRounder(std::move(columns), options_.tuning.search)));
    progress_.finish();
  }
  KERF_CHECK_OK(use_new_bytes(ends.embedding));
  if (ends.output.name == ends.embedding.name) KERF_CHECK_OK(use_new_bytes(ends.output));
  return {};
}

/// How much its columns count. Where it is the output matrix too, windows through the model as it is tell
/// what flows into that.
Result<std::vector<float>> CalibratedRun::embedding_columns(const ModelEnds& ends, const ModelConfig& config,
                                                            const std::filesystem::path& folder) {
  if (options_.method->needs == Method::Needs::sensitivities)
    return sensitive_columns(part_, ends.embedding.name);
  if (ends.output.name != ends.embedding.name) return std::vector<float>();
  Gram inputs(config.width, Gram::Moments::diagonal);
  KERF_CHECK_OK(watch_head(ends, config, folder, inputs));
  return inputs.mean_square();
}

Result<void> CalibratedRun::watch_head(const ModelEnds& ends, const ModelConfig& config,
                                       const std::filesystem::path& folder, Gram& inputs) {
  const TokenWindows windows = spread_windows(calibrated_.windows, kHeadWindows);
  KERF_TRY(const auto walk,
           CalibrationWalk::begin(config, ends, windows, calibrated_.memory.spill, folder, pool_));
  const auto no_stop = [&](std::size_t) { return advance(0, "reading"); };
  KERF_CHECK_OK(walk->embed(ends, no_stop));
  source_.release(tensor(ends.embedding));
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    KERF_TRY(const LayerWeights layer, load_layer(source_, config, i));
    KERF_CHECK_OK(walk->run_layer(layer, config.layer_is_local[i], no_stop));
    release(layer);
  }
  return walk->head_inputs(
      ends, [&](std::size_t, const float* x) { return inputs.add(x, windows.ctx(), nullptr, pool_); });
}

Result<void> CalibratedRun::run_layer(CalibrationWalk& walk, const ModelConfig& config, std::size_t index) {
  KERF_TRY(LayerWeights layer, load_layer(source_, config, index));
  const bool is_local = config.layer_is_local[index];
  const auto after = [&](std::size_t) { return advance(0, layer.mlp_output.name); };
  if (!any_open(layer.qkv) && !any_open({&layer.attention_output, 1}) && !any_open(layer.mlp_input) &&
      !any_open({&layer.mlp_output, 1})) {
    for (Linear& linear : layer.qkv) KERF_CHECK_OK(use_new_bytes(linear));
    KERF_CHECK_OK(use_new_bytes(layer.attention_output));
    for (Linear& linear : layer.mlp_input) KERF_CHECK_OK(use_new_bytes(linear));
    KERF_CHECK_OK(use_new_bytes(layer.mlp_output));
    KERF_CHECK_OK(walk.run_layer(layer, is_local, after));
    done_ += weights_of(layer.qkv) + weights_of({&layer.attention_output, 1}) + weights_of(layer.mlp_input) +
             weights_of({&layer.mlp_output, 1});
  } else {
    using Sink = CalibrationWalk::Sink;
    KERF_CHECK_OK(stage(layer.qkv, [&](Sink sink) { return walk.attention_inputs(layer, sink); }));
    KERF_CHECK_OK(
        stage({&layer.attention_output, 1}, [&](Sink sink) { return walk.attended(layer, is_local, sink); }));
    KERF_CHECK_OK(stage(layer.mlp_input, [&](Sink sink) { return walk.mlp_inputs(layer, sink); }));
    KERF_CHECK_OK(stage({&layer.mlp_output, 1}, [&](Sink sink) { return walk.mlp_inners(layer, sink); }));
    KERF_CHECK_OK(walk.finish_layer(layer, after));
  }
  release(layer);
  return {};
}

/// What is known of the inputs of some weights that read the same, and who is to be rounded by it.
struct CalibratedRun::Watch {
  std::span<Linear> linears;
  std::vector<float> token_weights;  // [windows · ctx], or empty: all alike
  Gram inputs;
};

/// One for all, unless each weight has its own opinion about the tokens.
Result<std::vector<CalibratedRun::Watch>> CalibratedRun::watches(std::span<Linear> linears) {
  const auto moments =
      options_.method->needs == Method::Needs::diagonal ? Gram::Moments::diagonal : Gram::Moments::full;
  const bool weighted = options_.method->needs == Method::Needs::sensitivities;
  const std::size_t n_cols = linears[0].n_cols();
  std::vector<Watch> list;
  if (!any_open(linears)) return list;
  if (!weighted) {
    list.push_back({linears, {}, Gram(n_cols, moments)});
    return list;
  }
  for (Linear& linear : linears) {
    if (!is_open(linear)) continue;
    KERF_TRY(std::vector<float> weights, token_weights(part_, linear.name));
    list.push_back({{&linear, 1}, std::move(weights), Gram(n_cols, moments)});
  }
  return list;
}

/// Gathers what flows into `linears`, rounds them and puts their new bytes in place.
Result<void> CalibratedRun::stage(std::span<Linear> linears, Gather gather) {
  const std::uint64_t n_weights = weights_of(linears);
  const std::size_t ctx = calibrated_.windows.ctx();
  KERF_TRY(std::vector<Watch> list, watches(linears));
  KERF_CHECK_OK(gather([&](std::size_t window, const float* x) -> Result<void> {
    // As much for reading as for rounding.
    KERF_CHECK_OK(advance(n_weights * (window + 1) / (2 * calibrated_.windows.size()), linears[0].name));
    for (Watch& watch : list) {
      const float* weights =
          watch.token_weights.empty() ? nullptr : watch.token_weights.data() + window * ctx;
      if (const Result<void> status = watch.inputs.add(x, ctx, weights, pool_); !status)
        return fail(status.error().kind, linears[0].name,
                    fmt::format("in window {} of the calibration {}", window, status.error().what));
    }
    return {};
  }));
  done_ += n_weights / 2;
  for (Watch& watch : list) KERF_CHECK_OK(round(watch));
  done_ += n_weights - n_weights / 2;
  for (Linear& linear : linears) KERF_CHECK_OK(use_new_bytes(linear));
  return {};
}

Result<void> CalibratedRun::round(Watch& watch) {
  KERF_TRY(const auto rounder, options_.method->make_rounder(&watch.inputs, options_.tuning, pool_));
  for (const Linear& linear : watch.linears)
    if (is_open(linear)) KERF_CHECK_OK(round_one(linear, *rounder));
  return {};
}

Result<void> CalibratedRun::round_one(const Linear& linear, const RowRounder& rounder) {
  const SourceTensor& from = tensor(linear);
  const PlannedTensor& to = plan_.tensors[index_.at(linear.name)];
  const RowRounder* const list[] = {&rounder};
  KERF_CHECK_OK(part_.begin(linear.name, to.n_bytes()));
  KERF_TRY(const RoundingError error, round_tensor(
                                          {source_, from, *to.format, list, &baseline_},
                                          [&](Bytes bytes) { return part_.write(bytes); }, pool_,
                                          [&](std::uint64_t numbers) {
                                            source_.release(from);
                                            return advance(numbers / 2, linear.name);
                                          }));
  source_.release(from);
  KERF_CHECK_OK(part_.finish(error));
  last_error_ = fmt::format("(last error {:.5f}, plainly rounded {:.5f})", error.output, error.baseline);
  return {};
}

Result<void> CalibratedRun::use_new_bytes(Linear& linear) {
  if (!changes(linear)) return {};
  KERF_TRY(const Bytes bytes, part_.view(linear.name));
  linear.weight.format = plan_.tensors[index_.at(linear.name)].format;
  linear.weight.bytes = bytes.data();
  linear.storage = {};
  return {};
}

void CalibratedRun::release(const LayerWeights& layer) const {
  const auto drop = [&](const Linear& linear) {
    source_.release(tensor(linear));
    part_.release(linear.name);
  };
  for (const Linear& linear : layer.qkv) drop(linear);
  drop(layer.attention_output);
  for (const Linear& linear : layer.mlp_input) drop(linear);
  drop(layer.mlp_output);
}

/// Puts the output together of the finished tensors and those that the walk does not concern.
Result<std::vector<TensorReport>> assemble(const ModelSource& source, const QuantizePlan& plan,
                                           PartFile& part, const std::filesystem::path& target,
                                           ThreadPool& pool, Progress& progress) {
  KERF_TRY(GgufWriter writer, GgufWriter::create(target, plan.metadata, plan.tensors));
  std::vector<TensorReport> reports;
  const auto advance = [&](std::uint64_t) -> Result<void> {
    if (progress.cancelled())
      return fail(ErrorKind::cancelled, "", "interrupted; --resume with the same command goes on from here");
    return {};
  };
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const SourceTensor& tensor = source.tensors()[i];
    TensorReport report{tensor.name, tensor.shape, plan.assignments[i], plan.tensors[i].n_bytes(), {}};
    if (const PartFile::Record* record = part.find(tensor.name)) {
      report.error = record->error;
      KERF_TRY(const Bytes bytes, part.view(tensor.name));
      KERF_CHECK_OK(copy_tensor(
          tensor, bytes, [&](Bytes b) { return writer.write(b); }, advance));
      part.release(tensor.name);
    } else {
      KERF_TRY(report.error, write_tensor(source, plan, i, writer, pool, advance));
      source.release(tensor);
    }
    reports.push_back(std::move(report));
  }
  KERF_CHECK_OK(writer.commit());
  return reports;
}

void note_calibration(const CalibratedOptions& options, const TokenWindows& windows, Metadata& metadata) {
  std::vector<std::string> names;
  for (const CalibrationText& text : options.texts) names.push_back(text.name);
  metadata.set("quantize.kerf.method", MetaValue::of_string(std::string(options.method->name)));
  metadata.set("quantize.kerf.calibration.texts", MetaValue::of_strings(std::move(names)));
  metadata.set("quantize.kerf.calibration.tokens", MetaValue::of_u64(windows.tokens().size()));
  metadata.set("quantize.kerf.calibration.ctx", MetaValue::of_u64(windows.ctx()));
  metadata.set("quantize.kerf.calibration.seed", MetaValue::of_u64(options.seed));
}

/// Whether an interrupted run's work is worth keeping: what failed for a reason in the input fails again.
bool can_go_on(const Error& error) {
  return error.kind == ErrorKind::cancelled || error.kind == ErrorKind::resource ||
         error.kind == ErrorKind::io;
}

}  // namespace

Result<CalibratedPlan> plan_calibrated(const ModelSource& source, const CalibratedOptions& options,
                                       const ThreadPool& pool, QuantizePlan& plan) {
  KERF_TRY(ModelConfig config, config_from_metadata(source.metadata()));
  KERF_CHECK_OK(load_ends(source, config));
  if (options.ctx < 4 || options.ctx > config.context_length)
    return fail(ErrorKind::usage, "--calib-ctx",
                fmt::format("{} is not between 4 and the model's context of {} tokens", options.ctx,
                            config.context_length));
  KERF_TRY(const auto tokenizer, source.require_tokenizer());
  KERF_TRY(const TokenWindows all, cut_windows(*tokenizer, options.texts, options.ctx, config.n_vocabulary));
  CalibratedPlan calibrated;
  const std::size_t n_windows = std::max<std::size_t>(1, (options.n_tokens + options.ctx - 1) / options.ctx);
  calibrated.windows = sample_windows(all, n_windows, options.seed);
  KERF_TRY(calibrated.memory, plan_memory(source, config, *options.method, calibrated.windows.size(),
                                          options.ctx, pool, options.memory_limit_bytes));
  note_calibration(options, calibrated.windows, plan.metadata);
  plan.output_bytes = GgufWriter::file_bytes(plan.metadata, plan.tensors);
  plan.peak_memory_bytes = calibrated.memory.peak_bytes;
  return calibrated;
}

Result<std::vector<TensorReport>> write_calibrated(const ModelSource& source, const QuantizePlan& plan,
                                                   const CalibratedPlan& calibrated,
                                                   const CalibratedOptions& options,
                                                   const std::filesystem::path& target, ThreadPool& pool,
                                                   Progress& progress) {
  KERF_TRY(const RunIdentity identity, run_identity(source, plan, options, pool));
  KERF_TRY(PartFile part, PartFile::open(target, identity, options.resume));
  const std::filesystem::path folder =
      target.parent_path().empty() ? std::filesystem::path(".") : target.parent_path();
  CalibratedRun run(source, plan, calibrated, options, part, pool, progress);
  if (const Result<void> status = run.run(folder); !status) {
    if (!can_go_on(status.error()) || part.n_records() == 0) part.remove();
    return tl::unexpected<Error>(status.error());
  }
  KERF_TRY(auto reports, assemble(source, plan, part, target, pool, progress));
  part.remove();
  return reports;
}

}  // namespace kerf

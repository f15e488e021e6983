#include "kerf/methods/calibrated_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "kerf/methods/token_weights.h"

namespace kerf {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight";

std::span<Linear> alone(Linear& linear) {
  return {&linear, 1};
}

std::uint64_t weights_of(std::span<const Linear> linears) {
  std::uint64_t n = 0;
  for (const Linear& linear : linears) n += linear.n_rows() * linear.n_cols();
  return n;
}

std::array<std::span<Linear>, 4> all_of(LayerWeights& layer) {
  return {std::span(layer.qkv), alone(layer.attention_output), std::span(layer.mlp_input),
          alone(layer.mlp_output)};
}

}  // namespace

CalibratedRun::CalibratedRun(const ModelSource& source, const QuantizePlan& plan,
                             const CalibratedPlan& calibrated, const CalibratedOptions& options,
                             PartFile& part, ThreadPool& pool, Progress& progress)
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

const SourceTensor& CalibratedRun::tensor(const Linear& linear) const {
  return source_.tensors()[index_.at(linear.name)];
}

bool CalibratedRun::changes(const Linear& linear) const {
  const std::size_t i = index_.at(linear.name);
  return plan_.tensors[i].format != source_.tensors()[i].format;
}

bool CalibratedRun::is_open(const Linear& linear) const {
  return changes(linear) && (part_.find(linear.name) == nullptr || has_open_bias(linear));
}

bool CalibratedRun::any_open(std::span<const Linear> linears) const {
  return std::any_of(linears.begin(), linears.end(), [&](const Linear& l) { return is_open(l); });
}

bool CalibratedRun::any_open(const LayerWeights& layer) const {
  return any_open(layer.qkv) || is_open(layer.attention_output) || any_open(layer.mlp_input) ||
         is_open(layer.mlp_output);
}

Gram::Moments CalibratedRun::moments() const {
  return options_.method->needs == Method::Needs::diagonal ? Gram::Moments::diagonal : Gram::Moments::full;
}

Result<void> CalibratedRun::advance(std::uint64_t weights, std::string_view tensor) {
  progress_.advance(std::min(done_ + weights, total_), fmt::format("{}  {}", tensor, last_error_));
  return check_cancelled();
}

Result<void> CalibratedRun::check_cancelled() const {
  if (progress_.cancelled())
    return fail(ErrorKind::cancelled, "", "interrupted; --resume with the same command goes on from here");
  return {};
}

Result<void> CalibratedRun::run(const std::filesystem::path& folder) {
  KERF_TRY(ModelConfig config, config_from_metadata(source_.metadata()));
  KERF_TRY(ModelEnds ends, load_ends(source_, config));
  if (options_.method->needs == Method::Needs::sensitivities)
    KERF_CHECK_OK(prepare_token_weights(source_, calibrated_.windows, part_, pool_, progress_));
  KERF_CHECK_OK(round_embedding(ends, config, folder));
  KERF_CHECK_OK(round_layers(ends, config, folder));
  if (options_.method->learns_layers) KERF_CHECK_OK(learn(ends, config, folder));
  return {};
}

Result<void> CalibratedRun::round_layers(ModelEnds& ends, const ModelConfig& config,
                                         const std::filesystem::path& folder) {
  done_ = 0;
  total_ = is_open(ends.output) ? weights_of(alone(ends.output)) : 0;
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
  KERF_TRY(const std::size_t n_layers, layers_to_run(ends, config));
  for (std::size_t i = 0; i < n_layers; ++i) KERF_CHECK_OK(run_layer(*walk, config, i));
  if (is_open(ends.output))
    KERF_CHECK_OK(stage(alone(ends.output), {},
                        [&](CalibrationWalk::Sink sink) { return walk->head_inputs(ends, sink); }));
  progress_.finish();
  return {};
}

/// Behind the last weight that is to be rounded nobody needs activations.
Result<std::size_t> CalibratedRun::layers_to_run(const ModelEnds& ends, const ModelConfig& config) const {
  if (is_open(ends.output)) return config.n_layers;
  std::size_t n = 0;
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    KERF_TRY(const LayerWeights layer, load_layer(source_, config, i));
    if (any_open(layer)) n = i + 1;
  }
  return n;
}

/// The embedding comes first, for everything reads what it makes.
Result<void> CalibratedRun::round_embedding(ModelEnds& ends, const ModelConfig& config,
                                            const std::filesystem::path& folder) {
  if (is_open(ends.embedding)) {
    total_ = weights_of(alone(ends.embedding));
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
  using Sink = CalibrationWalk::Sink;
  KERF_TRY(LayerWeights layer, load_layer(source_, config, index));
  const bool is_local = config.layer_is_local[index];
  if (!any_open(layer)) return pass_layer(walk, is_local, index, layer);
  const auto [before_qkv, before_mlp] = makers(layer, index);
  KERF_CHECK_OK(stage(layer.qkv, before_qkv, [&](Sink sink) { return walk.attention_inputs(layer, sink); }));
  KERF_CHECK_OK(stage(alone(layer.attention_output), {},
                      [&](Sink sink) { return walk.attended(layer, is_local, sink); }));
  KERF_CHECK_OK(stage(layer.mlp_input, before_mlp, [&](Sink sink) -> Result<void> {
    KERF_CHECK_OK(walk.mlp_inputs(layer, sink));
    return stretch_mlp(config, layer, [&](Sink inner) { return walk.mlp_inners(layer, inner); });
  }));
  KERF_CHECK_OK(stage(alone(layer.mlp_output), {}, [&](Sink sink) { return walk.mlp_inners(layer, sink); }));
  KERF_CHECK_OK(walk.finish_layer(layer, [&](std::size_t) { return advance(0, layer.mlp_output.name); }));
  release(layer);
  return {};
}

/// A layer that is finished, or has nothing to be rounded.
Result<void> CalibratedRun::pass_layer(CalibrationWalk& walk, bool is_local, std::size_t index,
                                       LayerWeights& layer) {
  for (const std::span<Linear> linears : all_of(layer)) {
    for (Linear& linear : linears) KERF_CHECK_OK(use_new_bytes(linear));
    done_ += weights_of(linears);
  }
  for (const Maker& maker : makers(layer, index)) KERF_CHECK_OK(use_new_norm(maker));
  KERF_CHECK_OK(
      walk.run_layer(layer, is_local, [&](std::size_t) { return advance(0, layer.mlp_output.name); }));
  release(layer);
  return {};
}

std::array<CalibratedRun::Maker, 2> CalibratedRun::makers(LayerWeights& layer, std::size_t index) {
  return {Maker{&layer.attention_norm, fmt::format("blk.{}.attn_norm", index)},
          Maker{&layer.mlp_norm, fmt::format("blk.{}.ffn_norm", index)}};
}

/// Gathers what flows into `linears`, rounds them and puts their new bytes in place.
Result<void> CalibratedRun::stage(std::span<Linear> linears, const Maker& maker, Gather gather) {
  const std::uint64_t n_weights = weights_of(linears);
  KERF_TRY(std::vector<Watch> list, watches(linears));
  KERF_CHECK_OK(gather([&](std::size_t window, const float* x) -> Result<void> {
    // As much for reading as for rounding.
    KERF_CHECK_OK(advance(n_weights * (window + 1) / (2 * calibrated_.windows.size()), linears[0].name));
    return watch(list, window, x);
  }));
  done_ += n_weights / 2;
  for (Watch& watch : list) {
    if (stretches(linears, maker)) KERF_CHECK_OK(stretch(linears, maker, watch.inputs));
    KERF_CHECK_OK(round(watch));
  }
  done_ += n_weights - n_weights / 2;
  for (Linear& linear : linears) KERF_CHECK_OK(use_new_bytes(linear));
  return use_new_norm(maker);
}

/// One for all, unless each weight has its own opinion about the tokens; none if nothing is open.
Result<std::vector<CalibratedRun::Watch>> CalibratedRun::watches(std::span<Linear> linears) {
  std::vector<Watch> list;
  const std::size_t n_cols = linears[0].n_cols();
  if (options_.method->needs != Method::Needs::sensitivities) {
    if (any_open(linears)) list.push_back({linears, {}, Gram(n_cols, moments())});
    return list;
  }
  for (Linear& linear : linears) {
    if (!is_open(linear)) continue;
    KERF_TRY(std::vector<float> weights, token_weights(part_, linear.name));
    list.push_back({alone(linear), std::move(weights), Gram(n_cols, moments())});
  }
  return list;
}

Result<void> CalibratedRun::watch(std::vector<Watch>& list, std::size_t window, const float* x) {
  const std::size_t ctx = calibrated_.windows.ctx();
  for (Watch& watch : list) {
    const float* weights = watch.token_weights.empty() ? nullptr : watch.token_weights.data() + window * ctx;
    if (const Result<void> status = watch.inputs.add(x, ctx, weights, pool_); !status)
      return fail(status.error().kind, watch.linears[0].name,
                  fmt::format("in window {} of the calibration {}", window, status.error().what));
  }
  return {};
}

Result<void> CalibratedRun::round(Watch& watch) {
  KERF_TRY(const auto rounder, options_.method->make_rounder(&watch.inputs, options_.tuning, pool_));
  for (const Linear& linear : watch.linears) {
    if (!is_open(linear)) continue;
    if (part_.find(linear.name) == nullptr) KERF_CHECK_OK(round_one(linear, *rounder));
    if (has_open_bias(linear)) KERF_CHECK_OK(correct_bias(linear, watch.inputs));
  }
  return {};
}

Result<void> CalibratedRun::round_one(const Linear& linear, const RowRounder& rounder) {
  const SourceTensor& from = tensor(linear);
  const PlannedTensor& to = plan_.tensors[index_.at(linear.name)];
  const RowRounder* const list[] = {&rounder};
  KERF_TRY(const std::vector<float> columns, kept(column_factors_of(linear.name)));
  KERF_TRY(const std::vector<float> rows, kept(row_factors_of(linear.name)));
  const RoundJob job{source_, from, *to.format, list, &baseline_, columns, rows};
  const auto sink = [&](Bytes bytes) { return part_.write(bytes); };
  const auto after_slab = [&](std::uint64_t numbers) {
    source_.release(from);
    return advance(numbers / 2, linear.name);
  };
  KERF_CHECK_OK(part_.begin(linear.name, to.n_bytes()));
  KERF_TRY(const RoundingError error, round_tensor(job, sink, pool_, after_slab));
  last_error_ = fmt::format("(last error {:.5f}, plainly rounded {:.5f})", error.output, error.baseline);
  return part_.finish(error);
}

Result<void> CalibratedRun::use_new_bytes(Linear& linear) {
  if (!changes(linear)) return {};
  KERF_TRY(const Bytes bytes, part_.view(linear.name));
  linear.weight.format = plan_.tensors[index_.at(linear.name)].format;
  linear.weight.bytes = bytes.data();
  linear.storage = {};
  return use_new_bias(linear);
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

}  // namespace kerf

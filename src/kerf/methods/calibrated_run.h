// The walk of quantize_calibrated.h, stage by stage.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "kerf/methods/part_file.h"
#include "kerf/methods/quantize_calibrated.h"

namespace kerf {

/// Fills a part file with the tensors that a method rounds, or changes. What it refers to must outlive it.
class CalibratedRun {
 public:
  CalibratedRun(const ModelSource& source, const QuantizePlan& plan, const CalibratedPlan& calibrated,
                const CalibratedOptions& options, PartFile& part, ThreadPool& pool, Progress& progress);

  /// `folder` takes the files for activations.
  Result<void> run(const std::filesystem::path& folder);

 private:
  using Gather = FunctionRef<Result<void>(CalibrationWalk::Sink)>;
  /// What makes the inputs of a stage, and so can be divided by the factors of its columns.
  struct Maker {
    Norm* norm = nullptr;
    std::string name = {};  // of the norm's tensors, without «.weight»
  };
  /// What is known of the inputs of some weights that read the same, and who is to be rounded by it.
  struct Watch {
    std::span<Linear> linears;
    std::vector<float> token_weights;  // [windows · ctx], or empty: all alike
    Gram inputs;
  };

  // --- what is to be done ---
  [[nodiscard]] const SourceTensor& tensor(const Linear& linear) const;
  /// Whether the plan wants another format than the source has.
  [[nodiscard]] bool changes(const Linear& linear) const;
  [[nodiscard]] bool is_open(const Linear& linear) const;
  [[nodiscard]] bool any_open(std::span<const Linear> linears) const;
  [[nodiscard]] bool any_open(const LayerWeights& layer) const;

  // --- the ends ---
  Result<std::size_t> layers_to_run(const ModelEnds& ends, const ModelConfig& config) const;
  Result<void> round_embedding(ModelEnds& ends, const ModelConfig& config,
                               const std::filesystem::path& folder);
  Result<std::vector<float>> embedding_columns(const ModelEnds& ends, const ModelConfig& config,
                                               const std::filesystem::path& folder);
  Result<void> watch_head(const ModelEnds& ends, const ModelConfig& config,
                          const std::filesystem::path& folder, Gram& inputs);

  // --- layers ---
  Result<void> round_layers(ModelEnds& ends, const ModelConfig& config, const std::filesystem::path& folder);
  Result<void> run_layer(CalibrationWalk& walk, const ModelConfig& config, std::size_t index);
  Result<void> pass_layer(CalibrationWalk& walk, bool is_local, std::size_t index, LayerWeights& layer);
  [[nodiscard]] static std::array<Maker, 2> makers(LayerWeights& layer, std::size_t index);
  Result<void> stage(std::span<Linear> linears, const Maker& maker, Gather gather);
  Result<std::vector<Watch>> watches(std::span<Linear> linears);
  Result<void> watch(std::vector<Watch>& list, std::size_t window, const float* x);
  Result<void> round(Watch& watch);
  Result<void> round_one(const Linear& linear, const RowRounder& rounder);
  Result<void> use_new_bytes(Linear& linear);
  Result<void> use_new_norm(const Maker& maker);
  void release(const LayerWeights& layer) const;

  // --- biases (calibrated_run_bias.cpp) ---
  [[nodiscard]] bool has_open_bias(const Linear& linear) const;
  Result<void> correct_bias(const Linear& linear, const Gram& inputs);
  Result<void> use_new_bias(Linear& linear);

  // --- layers that learn (calibrated_run_learning.cpp) ---
  /// What a layer learns from: the walks are in front of it and behind it.
  struct Lesson {
    const ModelConfig& config;
    const ModelEnds& ends;
    const LayerWeights& original;
    CalibrationWalk& teacher;
    CalibrationWalk& student;
  };
  [[nodiscard]] bool is_to_be_learned(const Linear& linear) const;
  [[nodiscard]] bool is_learned(LayerWeights& layer) const;
  Result<void> learn(const ModelEnds& ends, const ModelConfig& config, const std::filesystem::path& folder);
  Result<void> learn_layer(const Lesson& lesson, std::size_t index, LayerWeights& layer);
  Result<void> use_rounded(LayerWeights& layer, std::size_t index);
  Result<void> use_learned_bytes(Linear& linear);

  // --- stretched columns (calibrated_run_stretch.cpp) ---
  [[nodiscard]] bool stretches(std::span<const Linear> linears, const Maker& maker) const;
  Result<std::vector<float>> column_factors(std::span<const Linear> linears, Gram& inputs);
  Result<void> stretch(std::span<const Linear> linears, const Maker& maker, Gram& inputs);
  Result<void> stretch_mlp(const ModelConfig& config, LayerWeights& layer, Gather gather);
  /// Numbers in the part file; kept() is empty if there are none of that name.
  Result<void> keep(const std::string& name, const std::vector<float>& values);
  Result<void> keep_bytes(const std::string& name, Bytes bytes);
  Result<std::vector<float>> kept(const std::string& name);

  Result<void> advance(std::uint64_t weights, std::string_view tensor);
  [[nodiscard]] Result<void> check_cancelled() const;
  [[nodiscard]] Gram::Moments moments() const;

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

/// Where the part file keeps the factors that a weight's columns, or rows, were multiplied by. No tensor's
/// name has a colon.
[[nodiscard]] std::string column_factors_of(std::string_view weight);
[[nodiscard]] std::string row_factors_of(std::string_view weight);
/// Where it keeps what a weight became by learning, which is what counts then.
[[nodiscard]] std::string learned_bytes_of(std::string_view weight);

/// Windows that a layer sees while it learns, forwards and backwards.
[[nodiscard]] std::size_t learning_passes(int effort) noexcept;

}  // namespace kerf

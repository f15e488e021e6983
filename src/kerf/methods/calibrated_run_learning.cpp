// Methods that learn: a second walk over the finished layers, beside one through the original model. Each
// layer learns to turn what the learned layers before it give into what the original one gives.
#include <fmt/format.h>

#include <algorithm>

#include "kerf/methods/calibrated_run.h"
#include "kerf/methods/token_weights.h"
#include "kerf/methods/tune_block.h"

namespace kerf {
namespace {

constexpr std::size_t kWindowsPerStep = 4;

/// A step of tune_block() in the units of the walk's progress; a layer that is cancelled is begun anew.
class StepProgress final : public Progress {
 public:
  StepProgress(Progress& whole, std::size_t layer, std::size_t n_steps)
      : whole_(whole), layer_(layer), n_steps_(n_steps) {}
  void start(std::string_view, std::uint64_t, std::string_view) override {}
  void advance(std::uint64_t done, std::string_view detail) override {
    whole_.advance(layer_ * n_steps_ + done, fmt::format("layer {}  {}", layer_, detail));
  }
  void finish() override {}
  [[nodiscard]] bool cancelled() const noexcept override { return whole_.cancelled(); }

 private:
  Progress& whole_;
  std::size_t layer_, n_steps_;
};

std::vector<std::pair<Linear*, const Linear*>> pairs(LayerWeights& student, const LayerWeights& original) {
  std::vector<std::pair<Linear*, const Linear*>> list;
  for (std::size_t i = 0; i < student.qkv.size(); ++i) list.emplace_back(&student.qkv[i], &original.qkv[i]);
  list.emplace_back(&student.attention_output, &original.attention_output);
  for (std::size_t i = 0; i < student.mlp_input.size(); ++i)
    list.emplace_back(&student.mlp_input[i], &original.mlp_input[i]);
  list.emplace_back(&student.mlp_output, &original.mlp_output);
  return list;
}

}  // namespace

std::string learned_bytes_of(std::string_view weight) {
  return "learned:" + std::string(weight);
}

std::size_t learning_passes(int effort) noexcept {
  constexpr std::size_t kSteps[] = {25, 50, 100, 200};
  return kSteps[std::clamp(effort, 0, 3)] * kWindowsPerStep;
}

bool CalibratedRun::is_to_be_learned(const Linear& linear) const {
  return changes(linear) && LearnedWeight::can_learn(*plan_.tensors[index_.at(linear.name)].format);
}

/// The weights of a layer are learned together: if one is missing, all are learned again from where rounding
/// left them, to the same bytes as before.
bool CalibratedRun::is_learned(LayerWeights& layer) const {
  const auto list = pairs(layer, layer);
  return std::all_of(list.begin(), list.end(), [&](const auto& pair) {
    return !is_to_be_learned(*pair.first) || part_.find(learned_bytes_of(pair.first->name)) != nullptr;
  });
}

Result<void> CalibratedRun::learn(const ModelEnds& ends, const ModelConfig& config,
                                  const std::filesystem::path& folder) {
  const SpillPlan& spill = calibrated_.memory.spill;
  const auto begin = [&] {
    return CalibrationWalk::begin(config, ends, calibrated_.windows, spill, folder, pool_);
  };
  const auto no_stop = [&](std::size_t) -> Result<void> { return check_cancelled(); };
  KERF_TRY(const auto teacher, begin());
  KERF_TRY(const auto student, begin());
  KERF_CHECK_OK(student->embed(ends, no_stop));
  ModelConfig same = config;
  KERF_TRY(const ModelEnds original_ends, load_ends(source_, same));
  KERF_CHECK_OK(teacher->embed(original_ends, no_stop));
  const std::size_t n_steps = learning_passes(options_.tuning.search.effort) / kWindowsPerStep;
  progress_.start("learning", config.n_layers * n_steps, "steps");
  for (std::size_t i = 0; i < config.n_layers; ++i) {
    KERF_TRY(const LayerWeights original, load_layer(source_, config, i));
    KERF_TRY(LayerWeights layer, load_layer(source_, config, i));
    const bool is_local = config.layer_is_local[i];
    KERF_CHECK_OK(teacher->run_layer(original, is_local, no_stop));
    KERF_CHECK_OK(use_rounded(layer, i));
    if (!is_learned(layer)) {
      KERF_CHECK_OK(learn_layer({config, ends, original, *teacher, *student}, i, layer));
    }
    for (const auto& [linear, from] : pairs(layer, original)) KERF_CHECK_OK(use_learned_bytes(*linear));
    KERF_CHECK_OK(student->run_layer(layer, is_local, no_stop));
    release(layer);
    progress_.advance((i + 1) * n_steps, layer.mlp_output.name);
  }
  progress_.finish();
  return {};
}

/// The layer as rounding left it.
Result<void> CalibratedRun::use_rounded(LayerWeights& layer, std::size_t index) {
  for (const auto& [linear, same] : pairs(layer, layer)) KERF_CHECK_OK(use_new_bytes(*linear));
  for (const Maker& maker : makers(layer, index)) KERF_CHECK_OK(use_new_norm(maker));
  return {};
}

Result<void> CalibratedRun::learn_layer(const Lesson& lesson, std::size_t index, LayerWeights& layer) {
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<TunableWeight> weights;
  for (const auto& [linear, original] : pairs(layer, lesson.original)) {
    if (!is_to_be_learned(*linear)) continue;
    const std::size_t n = linear->n_rows() * linear->weight.format->row_bytes(linear->n_cols());
    bytes.emplace_back(linear->weight.bytes, linear->weight.bytes + n);
    linear->weight.bytes = bytes.back().data();
    weights.push_back({linear, bytes.back().data(), original});
  }
  KERF_TRY(const std::vector<float> counts, token_weights(part_, layer.mlp_output.name));
  BlockTuningOptions tuning;
  tuning.windows_per_step = kWindowsPerStep;
  tuning.n_steps = learning_passes(options_.tuning.search.effort) / kWindowsPerStep;
  tuning.seed = options_.seed + index;
  StepProgress steps(progress_, index, tuning.n_steps);
  const auto inputs = [&](std::size_t window, float* dst) { return lesson.student.residual(window, dst); };
  const auto targets = [&](std::size_t window, float* dst) { return lesson.teacher.residual(window, dst); };
  const BlockWindows windows{calibrated_.windows.size(), calibrated_.windows.ctx(), inputs, targets, counts};
  KERF_CHECK_OK(tune_block(lesson.config, lesson.ends, layer, lesson.config.layer_is_local[index], weights,
                           windows, tuning, pool_, steps));
  for (std::size_t i = 0; i < weights.size(); ++i)
    KERF_CHECK_OK(keep_bytes(learned_bytes_of(weights[i].student->name), bytes[i]));
  return {};
}

Result<void> CalibratedRun::use_learned_bytes(Linear& linear) {
  const std::string name = learned_bytes_of(linear.name);
  if (part_.find(name) == nullptr) return {};
  KERF_TRY(const Bytes bytes, part_.view(name));
  linear.weight.bytes = bytes.data();
  return {};
}

}  // namespace kerf

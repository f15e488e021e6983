#include "kerf/methods/calibration_walk.h"

#include <algorithm>

namespace kerf {
namespace {

std::size_t inner_width(const ModelConfig& config) {
  return std::max(config.q_width(), config.ffn_width);
}

Result<ActivationStore> make_store(bool spill, const std::filesystem::path& folder, std::size_t n_windows,
                                   std::size_t floats) {
  return spill ? ActivationStore::in_file(folder, n_windows, floats)
               : ActivationStore::in_memory(n_windows, floats);
}

}  // namespace

Result<std::unique_ptr<CalibrationWalk>> CalibrationWalk::begin(
    const ModelConfig& config, const ModelEnds& ends, const TokenWindows& windows, const SpillPlan& spill,
    const std::filesystem::path& folder, ThreadPool& pool) {
  const std::size_t n = windows.size(), ctx = windows.ctx();
  KERF_TRY(ActivationStore residual, make_store(spill.residual, folder, n, ctx * config.width));
  KERF_TRY(ActivationStore inner, make_store(spill.inner, folder, n, ctx * inner_width(config)));
  return std::unique_ptr<CalibrationWalk>(
      new CalibrationWalk(config, ends, windows, std::move(residual), std::move(inner), pool));
}

CalibrationWalk::CalibrationWalk(const ModelConfig& config, const ModelEnds& ends,
                                 const TokenWindows& windows, ActivationStore residual, ActivationStore inner,
                                 ThreadPool& pool)
    : config_(config),
      windows_(windows),
      pool_(pool),
      walk_(config, ends, pool),
      cache_(make_f32_cache({1, config.n_kv_heads, config.head_width, windows.ctx()})),
      residual_(std::move(residual)),
      inner_(std::move(inner)) {
  walk_.prepare(windows.ctx(), 0, windows.ctx());
}

Result<void> CalibrationWalk::embed(const ModelEnds& ends, FunctionRef<Result<void>(std::size_t)> after) {
  KERF_CHECK_OK(cache_->reserve(windows_.ctx()));
  for (std::size_t i = 0; i < n_windows(); ++i) {
    embed_tokens(config_, ends, windows_[i], 0, residual_.overwrite(i), pool_);
    KERF_CHECK_OK(residual_.keep(i));
    KERF_CHECK_OK(after(i));
  }
  return {};
}

Result<void> CalibrationWalk::attention_inputs(const LayerWeights& layer, Sink sink) {
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(const float* residual, residual_.edit(i));
    KERF_CHECK_OK(sink(i, walk_.attention_input(layer, residual)));
  }
  return {};
}

const float* CalibrationWalk::attend(const LayerWeights& layer, bool is_local, const float* residual) {
  return walk_.attended(layer, is_local, walk_.attention_input(layer, residual), *cache_, 0);
}

Result<void> CalibrationWalk::attended(const LayerWeights& layer, bool is_local, Sink sink) {
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(const float* residual, residual_.edit(i));
    const float* const x = attend(layer, is_local, residual);
    std::copy_n(x, windows_.ctx() * config_.q_width(), inner_.overwrite(i));
    KERF_CHECK_OK(inner_.keep(i));
    KERF_CHECK_OK(sink(i, x));
  }
  return {};
}

Result<void> CalibrationWalk::mlp_inputs(const LayerWeights& layer, Sink sink) {
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(const float* x, inner_.edit(i));
    KERF_TRY(float* residual, residual_.edit(i));
    walk_.add_attention(layer, x, residual);
    KERF_CHECK_OK(residual_.keep(i));
    KERF_CHECK_OK(sink(i, walk_.mlp_input(layer, residual)));
  }
  return {};
}

Result<void> CalibrationWalk::mlp_inners(const LayerWeights& layer, Sink sink) {
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(const float* residual, residual_.edit(i));
    const float* const x = walk_.mlp_inner(layer, walk_.mlp_input(layer, residual));
    std::copy_n(x, windows_.ctx() * config_.ffn_width, inner_.overwrite(i));
    KERF_CHECK_OK(inner_.keep(i));
    KERF_CHECK_OK(sink(i, x));
  }
  return {};
}

Result<void> CalibrationWalk::finish_layer(const LayerWeights& layer,
                                           FunctionRef<Result<void>(std::size_t)> after) {
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(const float* x, inner_.edit(i));
    KERF_TRY(float* residual, residual_.edit(i));
    walk_.add_mlp(layer, x, residual);
    KERF_CHECK_OK(residual_.keep(i));
    KERF_CHECK_OK(after(i));
  }
  return {};
}

Result<void> CalibrationWalk::run_layer(const LayerWeights& layer, bool is_local,
                                        FunctionRef<Result<void>(std::size_t)> after) {
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(float* residual, residual_.edit(i));
    walk_.add_attention(layer, attend(layer, is_local, residual), residual);
    walk_.add_mlp(layer, walk_.mlp_inner(layer, walk_.mlp_input(layer, residual)), residual);
    KERF_CHECK_OK(residual_.keep(i));
    KERF_CHECK_OK(after(i));
  }
  return {};
}

Result<void> CalibrationWalk::head_inputs(const ModelEnds& ends, Sink sink) {
  std::vector<float> normed(windows_.ctx() * config_.width);
  for (std::size_t i = 0; i < n_windows(); ++i) {
    KERF_TRY(const float* residual, residual_.edit(i));
    head_input(ends, residual, windows_.ctx(), normed.data(), pool_);
    KERF_CHECK_OK(sink(i, normed.data()));
  }
  return {};
}

Result<void> CalibrationWalk::residual(std::size_t window, float* dst) {
  KERF_TRY(const float* residual, residual_.edit(window));
  std::copy_n(residual, windows_.ctx() * config_.width, dst);
  return {};
}

std::uint64_t CalibrationWalk::residual_bytes(const ModelConfig& config, std::size_t ctx) noexcept {
  return ctx * config.width * sizeof(float);
}

std::uint64_t CalibrationWalk::inner_bytes(const ModelConfig& config, std::size_t ctx) noexcept {
  return ctx * inner_width(config) * sizeof(float);
}

std::uint64_t CalibrationWalk::scratch_bytes(const ModelConfig& config, std::size_t ctx) noexcept {
  const std::size_t qkv = config.q_width() + 2 * config.kv_width();
  const std::size_t mlp = config.ffn_width * (config.mlp == MlpKind::plain ? 2 : 3);
  // The residual's copies, a block's own buffers, and keys and values of one layer.
  const std::size_t floats = 3 * config.width + qkv + config.q_width() + mlp + 2 * config.kv_width();
  return ctx * floats * sizeof(float);
}

}  // namespace kerf

#include "kerf/methods/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kerf/methods/round_tensor.h"
#include "kerf/methods/token_weights.h"

namespace kerf {
namespace {

constexpr std::uint64_t kProgram = 24 << 20;
constexpr std::uint64_t kPerThread = 3 << 20;  // a piece of rows thrice, a tile of products, a stack

/// Stored bytes of the largest layer: its weights are all mapped at once, old or new.
std::uint64_t layer_bytes(const ModelSource& source) {
  std::map<std::string, std::uint64_t> layers;
  for (const SourceTensor& tensor : source.tensors())
    if (tensor.name.starts_with("blk."))
      layers[tensor.name.substr(0, tensor.name.find('.', 4))] +=
          tensor.n_rows() * tensor.format->row_bytes(tensor.row_length());
  std::uint64_t most = 0;
  for (const auto& [layer, bytes] : layers) most = std::max(most, bytes);
  return most;
}

std::uint64_t statistics_bytes(const ModelConfig& config, const Method& method, std::size_t ctx) {
  const bool diagonal = method.needs == Method::Needs::diagonal;
  const auto moments = diagonal ? Gram::Moments::diagonal : Gram::Moments::full;
  // Moments at a time: q, k and v may each have their own; gate and up.
  const bool each = method.needs == Method::Needs::sensitivities;
  const std::pair<std::size_t, std::uint64_t> sites[] = {
      {config.width, each ? 3 : 1}, {config.q_width(), 1}, {config.ffn_width, 1}};
  std::uint64_t most = 0;
  for (const auto& [n_cols, n] : sites)
    most = std::max(most, n * Gram::bytes(n_cols, ctx, moments) + method.rounder_bytes(n_cols));
  // Factors for the MLP's output are found while the moments in front of it are still there.
  if (method.column_factors != nullptr) most += Gram::bytes(config.width, ctx, moments);
  return most;
}

/// Of a layer that learns, besides what is fixed anyway: for each weight its place, two means of gradients,
/// the gradient and the original number, and what is stored, twice.
std::uint64_t learning_bytes(const ModelSource& source, const ModelConfig& config, std::size_t ctx) {
  std::map<std::string, std::uint64_t> layers;
  for (const SourceTensor& tensor : source.tensors())
    if (tensor.name.starts_with("blk.") && tensor.shape.size() >= 2)
      layers[tensor.name.substr(0, tensor.name.find('.', 4))] += tensor.n_elements();
  std::uint64_t most = 0;
  for (const auto& [layer, n] : layers) most = std::max(most, n);
  return 24 * most + layer_bytes(source) + 3 * CalibrationWalk::scratch_bytes(config, ctx);
}

/// «1.5G» as --max-ram takes it, rounded up.
std::string as_option(std::uint64_t bytes) {
  const std::uint64_t megabytes = (bytes + (1 << 20) - 1) >> 20;
  return fmt::format("{}M", megabytes);
}

}  // namespace

std::uint64_t resident_besides_weights(const ModelSource& source) {
  std::uint64_t bytes = kProgram + kSlabBytesLimit;
  for (const auto& [key, value] : source.metadata().entries())
    if (const auto* strings = std::get_if<std::vector<std::string>>(&value.value))
      // Twice in memory: the metadata and the tokenizer's tables.
      for (const std::string& text : *strings) bytes += 2 * (sizeof(std::string) + text.capacity() + 32);
  return bytes;
}

Result<MemoryPlan> plan_memory(const ModelSource& source, const ModelConfig& config, const Method& method,
                               std::size_t n_windows, std::size_t ctx, const ThreadPool& pool,
                               std::uint64_t limit_bytes) {
  const std::uint64_t residual = CalibrationWalk::residual_bytes(config, ctx);
  const std::uint64_t inner = CalibrationWalk::inner_bytes(config, ctx);
  const std::uint64_t fixed = resident_besides_weights(source) + layer_bytes(source) +
                              statistics_bytes(config, method, ctx) +
                              CalibrationWalk::scratch_bytes(config, ctx) + pool.size() * kPerThread +
                              n_windows * ctx * sizeof(TokenId);
  const std::uint64_t before =
      method.needs == Method::Needs::sensitivities
          ? resident_besides_weights(source) + token_weights_bytes(source, config, n_windows, ctx)
          : 0;
  const std::uint64_t behind = method.learns_layers ? resident_besides_weights(source) + layer_bytes(source) +
                                                          learning_bytes(source, config, ctx) +
                                                          n_windows * ctx * (sizeof(TokenId) + sizeof(float))
                                                    : 0;
  const auto with = [&](const SpillPlan& spill) {
    MemoryPlan plan{spill, fixed, 0};
    for (const auto& [is_spilled, window_bytes] :
         {std::pair{spill.residual, residual}, std::pair{spill.inner, inner}}) {
      plan.peak_bytes += is_spilled ? window_bytes : n_windows * window_bytes;
      plan.spill_bytes += is_spilled ? n_windows * window_bytes : 0;
    }
    const std::uint64_t two_walks = 2 * (spill.residual ? 1 : n_windows) * residual;
    plan.peak_bytes = std::max({plan.peak_bytes, before, behind == 0 ? 0 : behind + two_walks});
    return plan;
  };
  // From the least traffic to files to the most.
  for (const SpillPlan spill : {SpillPlan{false, false}, {false, true}, {true, false}, {true, true}})
    if (const MemoryPlan plan = with(spill); plan.peak_bytes <= limit_bytes) return plan;
  return fail(
      ErrorKind::resource, "--max-ram",
      fmt::format("{} is not enough: {} on this model with windows of {} tokens takes {}",
                  as_option(limit_bytes), method.name, ctx, as_option(with({true, true}).peak_bytes)));
}

}  // namespace kerf

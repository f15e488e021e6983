#include "kerf/methods/token_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kerf/methods/calibration_walk.h"
#include "kerf/methods/sensitivity.h"

namespace kerf {
namespace {

// Names in the part file; no tensor's name has a colon.
constexpr std::string_view kDone = "sensitivity:done";

std::string tokens_of(std::string_view weight) {
  return fmt::format("sensitivity:tokens:{}", weight);
}

std::string columns_of(std::string_view weight) {
  return fmt::format("sensitivity:columns:{}", weight);
}

Result<void> store(PartFile& part, const std::string& name, const std::vector<float>& values) {
  if (part.find(name) != nullptr) return {};
  const std::size_t n_bytes = values.size() * sizeof(float);
  KERF_CHECK_OK(part.begin(name, n_bytes));
  KERF_CHECK_OK(part.write(Bytes{reinterpret_cast<const std::uint8_t*>(values.data()), n_bytes}));
  return part.finish({});
}

Result<std::vector<float>> fetch(PartFile& part, const std::string& name) {
  KERF_TRY(const Bytes bytes, part.view(name));
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  part.release(name);
  return values;
}

}  // namespace

Result<void> prepare_token_weights(const ModelSource& source, const TokenWindows& windows, PartFile& part,
                                   ThreadPool& pool, Progress& progress) {
  if (part.find(kDone) != nullptr) return {};
  KERF_TRY(const Sensitivity sensitivity,
           measure_sensitivity(source, windows.tokens(), {.ctx = windows.ctx()}, pool, progress));
  for (const SourceTensor& tensor : source.tensors()) source.release(tensor);
  for (const auto& [name, values] : sensitivity.of_tokens)
    KERF_CHECK_OK(store(part, tokens_of(name), values));
  for (const auto& [name, columns] : sensitivity.diagonal.weights)
    KERF_CHECK_OK(store(part, columns_of(name), columns.mean_square));
  return store(part, std::string(kDone), {});
}

Result<std::vector<float>> token_weights(PartFile& part, std::string_view weight) {
  KERF_TRY(std::vector<float> weights, fetch(part, tokens_of(weight)));
  double sum = 0;
  for (const float value : weights) sum += value;
  const double mean = sum / static_cast<double>(std::max<std::size_t>(weights.size(), 1));
  // A weight that nothing depends on: every token alike.
  for (float& value : weights)
    value = mean > 0 ? std::min(static_cast<float>(value / mean), kLargestTokenWeight) : 1.0F;
  return weights;
}

Result<std::vector<float>> sensitive_columns(PartFile& part, std::string_view weight) {
  return fetch(part, columns_of(weight));
}

std::uint64_t token_weights_bytes(const ModelSource& source, const ModelConfig& config, std::size_t n_windows,
                                  std::size_t ctx) {
  std::uint64_t mapped = 0;
  std::uint64_t n_matrices = 0;
  for (const SourceTensor& tensor : source.tensors()) {
    mapped += tensor.n_rows() * tensor.format->row_bytes(tensor.row_length());
    n_matrices += tensor.shape.size() >= 2 ? 1 : 0;
  }
  // Logits of a portion of tokens and their gradient; each layer's residual; one layer forwards and back.
  constexpr std::uint64_t kPortion = 128;
  const std::uint64_t head = 2 * kPortion * config.n_vocabulary * sizeof(float);
  const std::uint64_t residuals = (config.n_layers + 3) * CalibrationWalk::residual_bytes(config, ctx);
  return mapped + n_matrices * n_windows * ctx * sizeof(float) + head + residuals +
         3 * CalibrationWalk::scratch_bytes(config, ctx);
}

}  // namespace kerf

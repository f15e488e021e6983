// Methods that stretch the columns of weights: where the factors are folded into.
//   norm → q, k, v          the norm's weight (and bias) is divided
//   norm → gate, up         the same
//   up → down               rows of `up` are divided; with a gate in between that is linear in `up` only
#include <cstring>

#include "kerf/methods/calibrated_run.h"

namespace kerf {
namespace {

std::vector<float> inverse(std::vector<float> factors) {
  for (float& factor : factors) factor = 1.0F / factor;
  return factors;
}

}  // namespace

std::string column_factors_of(std::string_view weight) {
  return "columns:" + std::string(weight);
}

std::string row_factors_of(std::string_view weight) {
  return "rows:" + std::string(weight);
}

/// All that read the same inputs have to be rounded, or some would not be stretched.
bool CalibratedRun::stretches(std::span<const Linear> linears, const Maker& maker) const {
  bool all = options_.method->column_factors != nullptr && maker.norm != nullptr;
  for (const Linear& linear : linears) all = all && changes(linear);
  return all;
}

Result<std::vector<float>> CalibratedRun::column_factors(std::span<const Linear> linears, Gram& inputs) {
  ScaleJob job{source_, {}, {}, inputs, options_.tuning, pool_};
  for (const Linear& linear : linears) {
    job.tensors.push_back(&tensor(linear));
    job.formats.push_back(plan_.tensors[index_.at(linear.name)].format);
  }
  return options_.method->column_factors(job);
}

/// Finds the factors of the columns of `linears` and divides the norm in front of them.
Result<void> CalibratedRun::stretch(std::span<const Linear> linears, const Maker& maker, Gram& inputs) {
  KERF_TRY(const std::vector<float> factors, column_factors(linears, inputs));
  inputs.divide_columns(factors);
  for (const Linear& linear : linears) KERF_CHECK_OK(keep(column_factors_of(linear.name), factors));
  for (const auto& [suffix, values] :
       {std::pair{".weight", &maker.norm->weight}, std::pair{".bias", &maker.norm->bias}}) {
    if (values->empty()) continue;
    std::vector<float> divided = *values;
    for (std::size_t k = 0; k < divided.size(); ++k) divided[k] /= factors[k];
    KERF_CHECK_OK(keep(maker.name + suffix, divided));
  }
  return {};
}

/// Factors of `down` come from the float gate and up: once these are rounded, it is too late.
Result<void> CalibratedRun::stretch_mlp(const ModelConfig& config, LayerWeights& layer, Gather gather) {
  const Linear& up = layer.mlp_input.back();
  const Linear& down = layer.mlp_output;
  if (options_.method->column_factors == nullptr || config.mlp != MlpKind::gated || !up.bias.empty() ||
      !is_open(up) || !changes(down) || part_.find(row_factors_of(up.name)) != nullptr)
    return {};
  Gram inputs(down.n_cols(), moments());
  KERF_CHECK_OK(gather([&](std::size_t, const float* x) -> Result<void> {
    KERF_CHECK_OK(advance(0, down.name));
    return inputs.add(x, calibrated_.windows.ctx(), nullptr, pool_);
  }));
  KERF_TRY(const std::vector<float> factors, column_factors({&down, 1}, inputs));
  KERF_CHECK_OK(keep(column_factors_of(down.name), factors));
  return keep(row_factors_of(up.name), inverse(factors));
}

Result<void> CalibratedRun::keep(const std::string& name, const std::vector<float>& values) {
  return keep_bytes(name,
                    {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)});
}

Result<void> CalibratedRun::keep_bytes(const std::string& name, Bytes bytes) {
  if (part_.find(name) != nullptr) return {};
  KERF_CHECK_OK(part_.begin(name, bytes.size()));
  KERF_CHECK_OK(part_.write(bytes));
  return part_.finish({});
}

Result<std::vector<float>> CalibratedRun::kept(const std::string& name) {
  std::vector<float> values;
  if (part_.find(name) == nullptr) return values;
  KERF_TRY(const Bytes bytes, part_.view(name));
  values.resize(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Result<void> CalibratedRun::use_new_norm(const Maker& maker) {
  if (maker.norm == nullptr) return {};
  for (const auto& [suffix, values] :
       {std::pair{".weight", &maker.norm->weight}, std::pair{".bias", &maker.norm->bias}}) {
    KERF_TRY(std::vector<float> divided, kept(maker.name + suffix));
    if (!divided.empty()) *values = std::move(divided);
  }
  return {};
}

}  // namespace kerf

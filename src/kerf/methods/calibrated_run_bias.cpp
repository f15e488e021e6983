// Bias correction: what rounding shifts a weight's outputs by on average, its bias takes back.
// Source: M. Nagel et al., «Data-free quantization through weight equalization and bias correction» (2019),
// section 4.2, with means that were measured.
#include <algorithm>

#include "kerf/methods/calibrated_run.h"

namespace kerf {
namespace {

constexpr std::uint64_t kPieceNumbers = 1 << 16;

std::string bias_of(const std::string& weight) {
  return weight.substr(0, weight.rfind(".weight")) + ".bias";
}

/// Σ_k (w[k] − back[k]) · mean[k], column factors being part of w.
double mean_shift(const float* w, const float* back, const std::vector<float>& factors,
                  const std::vector<float>& mean) {
  double sum = 0;
  for (std::size_t k = 0; k < mean.size(); ++k) {
    const double stretched = factors.empty() ? w[k] : static_cast<double>(w[k]) * factors[k];
    sum += (stretched - back[k]) * mean[k];
  }
  return sum;
}

}  // namespace

bool CalibratedRun::has_open_bias(const Linear& linear) const {
  return options_.correct_biases && !linear.bias.empty() && part_.find(bias_of(linear.name)) == nullptr;
}

Result<void> CalibratedRun::correct_bias(const Linear& linear, const Gram& inputs) {
  const SourceTensor& from = tensor(linear);
  const Format& format = *plan_.tensors[index_.at(linear.name)].format;
  const std::size_t n_cols = linear.n_cols();
  const std::vector<float> mean = inputs.mean();
  KERF_TRY(const std::vector<float> factors, kept(column_factors_of(linear.name)));
  KERF_TRY(const Bytes bytes, part_.view(linear.name));
  std::vector<float> bias = linear.bias;
  const std::uint64_t piece = std::max<std::uint64_t>(1, kPieceNumbers / n_cols);
  std::vector<float> w(piece * n_cols), back(piece * n_cols);
  for (std::uint64_t first = 0; first < from.n_rows(); first += piece) {
    const std::uint64_t n = std::min(piece, from.n_rows() - first);
    KERF_CHECK_OK(source_.read_rows(from, first, n, w.data()));
    decode_rows(format, bytes.data() + first * format.row_bytes(n_cols), n, n_cols, back.data());
    for (std::uint64_t r = 0; r < n; ++r)
      bias[first + r] +=
          static_cast<float>(mean_shift(w.data() + r * n_cols, back.data() + r * n_cols, factors, mean));
  }
  return keep(bias_of(linear.name), bias);
}

Result<void> CalibratedRun::use_new_bias(Linear& linear) {
  if (linear.bias.empty()) return {};
  KERF_TRY(std::vector<float> bias, kept(bias_of(linear.name)));
  if (!bias.empty()) linear.bias = std::move(bias);
  return {};
}

}  // namespace kerf

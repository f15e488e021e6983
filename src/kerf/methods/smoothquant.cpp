// Outliers of activations are moved into the weights as far as both then are equally easy to round: for
// models whose activations will be rounded to 8 bits too. Source: G. Xiao et al., «SmoothQuant» (2022),
// equation 4.
#include "kerf/methods/smoothquant.h"

#include <algorithm>
#include <cmath>

#include "kerf/methods/method.h"

namespace kerf {
namespace {

constexpr double kLeast = 1e-5;
constexpr std::uint64_t kPieceNumbers = 1 << 18;

/// Raises largest[k] to max |w[r, k]| over all rows of a weight.
Result<void> raise_to_largest(const ModelSource& source, const SourceTensor& tensor,
                              std::vector<float>& largest) {
  const std::size_t n_cols = tensor.row_length();
  const std::uint64_t piece = std::max<std::uint64_t>(1, kPieceNumbers / n_cols);
  std::vector<float> w(piece * n_cols);
  for (std::uint64_t first = 0; first < tensor.n_rows(); first += piece) {
    const std::uint64_t n = std::min(piece, tensor.n_rows() - first);
    KERF_CHECK_OK(source.read_rows(tensor, first, n, w.data()));
    for (std::size_t i = 0; i < n * n_cols; ++i)
      largest[i % n_cols] = std::max(largest[i % n_cols], std::fabs(w[i]));
  }
  return {};
}

Result<std::vector<float>> column_factors(const ScaleJob& job) {
  std::vector<float> largest(job.inputs.n_columns());
  for (const SourceTensor* tensor : job.tensors)
    KERF_CHECK_OK(raise_to_largest(job.source, *tensor, largest));
  return smoothing_factors(job.inputs.largest_magnitude(), largest, job.options.smoothing);
}

}  // namespace

std::vector<float> smoothing_factors(std::span<const float> largest_input,
                                     std::span<const float> largest_weight, double alpha) {
  std::vector<float> factors;
  for (std::size_t k = 0; k < largest_input.size(); ++k) {
    const double x = std::max<double>(largest_input[k], kLeast),
                 w = std::max<double>(largest_weight[k], kLeast);
    factors.push_back(static_cast<float>(std::max(std::pow(x, alpha) / std::pow(w, 1 - alpha), kLeast)));
  }
  return factors;
}

const Method methods::smoothquant{
    .name = "smoothquant",
    .summary = "outliers of activations moved into the weights, for 8-bit activations",
    .needs = Method::Needs::diagonal,
    .damping = 0,
    .rounder_bytes = [](std::size_t n_cols) -> std::uint64_t { return n_cols * sizeof(float); },
    .make_rounder = [](Gram* inputs, const MethodOptions& options,
                       ThreadPool&) -> Result<std::unique_ptr<RowRounder>> {
      return std::make_unique<ColumnRounder>(inputs->mean_square(), options.search);
    },
    .column_factors = column_factors};

}  // namespace kerf

// Columns that read large inputs are stretched before they are rounded, and the inputs shrunk by as much: so
// the rounding error of those columns weighs less. How far is searched for on the outputs' error.
// Source: J. Lin et al., «AWQ» (2023), section 3.2, with the second moments of the inputs in place of the
// inputs: the error of the weights' outputs is Σ d·H·dᵀ. Its clipping is the quantizers' own search for
// scales, columns weighted by the mean square of their shrunken inputs.
#include "kerf/methods/awq.h"

#include <algorithm>
#include <cmath>

#include "kerf/kernels/kernel.h"

namespace kerf {
namespace {

constexpr int kSteps = 20;  // alpha = 0, 1/20 … 19/20
constexpr float kLeastFactor = 1e-4F;
constexpr std::uint64_t kPieceNumbers = 1 << 16;

/// H [K, K] in binary32 and what it says about errors.
class OutputError {
 public:
  OutputError(Gram& inputs, ThreadPool& pool) : n_(inputs.n_columns()), h_(n_ * n_) {
    const std::span<const double> moments = inputs.second_moments(pool);
    std::transform(moments.begin(), moments.end(), h_.begin(),
                   [](double v) { return static_cast<float>(v); });
  }

  /// Σ d·H·dᵀ over rows of d [n_rows, K].
  [[nodiscard]] double operator()(const float* d, std::size_t n_rows) const {
    const kernels::KernelTable& table = kernels::active_table();
    std::vector<float> products(n_rows * n_);
    table.gemm_f32(d, n_, h_.data(), n_, products.data(), n_, n_rows, n_, n_);
    double sum = 0;
    for (std::size_t r = 0; r < n_rows; ++r) sum += table.dot_f32(products.data() + r * n_, d + r * n_, n_);
    return sum;
  }

 private:
  std::size_t n_;
  std::vector<float> h_;
};

/// Of one weight, rounded with its columns stretched.
Result<double> error_with(const ScaleJob& job, std::size_t index, const OutputError& output_error,
                          const RowRounder& rounder, std::span<const float> factors) {
  const SourceTensor& tensor = *job.tensors[index];
  const Format& format = *job.formats[index];
  const std::size_t n_cols = tensor.row_length();
  const std::uint64_t piece = std::max<std::uint64_t>(1, kPieceNumbers / n_cols);
  std::vector<Result<double>> errors((tensor.n_rows() + piece - 1) / piece);
  job.pool.parallel_for(errors.size(), 1, [&](std::size_t i, std::size_t, unsigned) {
    const std::uint64_t n_rows = std::min(piece, tensor.n_rows() - i * piece);
    std::vector<float> w(n_rows * n_cols), back(n_rows * n_cols);
    std::vector<std::uint8_t> bytes(n_rows * format.row_bytes(n_cols));
    if (const auto status = job.source.read_rows(tensor, i * piece, n_rows, w.data()); !status) {
      errors[i] = tl::unexpected<Error>(status.error());
      return;
    }
    for (std::size_t k = 0; k < w.size(); ++k) w[k] *= factors[k % n_cols];
    rounder.round(format, w.data(), bytes.data(), n_rows, n_cols);
    decode_rows(format, bytes.data(), n_rows, n_cols, back.data());
    for (std::size_t k = 0; k < w.size(); ++k) w[k] = (w[k] - back[k]) / factors[k % n_cols];
    errors[i] = output_error(w.data(), n_rows);
  });
  double sum = 0;
  for (const Result<double>& error : errors) {
    KERF_TRY(const double value, error);
    sum += value;
  }
  return sum;
}

std::unique_ptr<RowRounder> rounder_for(std::vector<float> mean_square, std::span<const float> factors,
                                        const MethodOptions& options) {
  for (std::size_t k = 0; k < mean_square.size(); ++k) mean_square[k] /= factors[k] * factors[k];
  return std::make_unique<ColumnRounder>(std::move(mean_square), options.search);
}

Result<std::vector<float>> column_factors(const ScaleJob& job) {
  const OutputError output_error(job.inputs, job.pool);
  const std::vector<float> mean_square = job.inputs.mean_square();
  return search_factors(job.inputs.mean_magnitude(), [&](std::span<const float> factors) -> Result<double> {
    const auto rounder = rounder_for(mean_square, factors, job.options);
    double sum = 0;
    for (std::size_t i = 0; i < job.tensors.size(); ++i) {
      KERF_TRY(const double error, error_with(job, i, output_error, *rounder, factors));
      sum += error;
    }
    return sum;
  });
}

}  // namespace

std::vector<float> awq_factors(std::span<const float> mean_magnitude, double alpha) {
  std::vector<float> factors;
  for (const float x : mean_magnitude)
    factors.push_back(std::max(static_cast<float>(std::pow(x, alpha)), kLeastFactor));
  const auto [low, high] = std::minmax_element(factors.begin(), factors.end());
  const float middle = std::sqrt(*low * *high);
  for (float& factor : factors) {
    factor /= middle;
    if (!std::isfinite(factor) || factor <= 0) factor = 1.0F;
  }
  return factors;
}

Result<std::vector<float>> search_factors(const std::vector<float>& mean_magnitude,
                                          FunctionRef<Result<double>(std::span<const float>)> error) {
  std::vector<float> best;
  double least = 0;
  for (int step = 0; step < kSteps; ++step) {
    std::vector<float> factors = awq_factors(mean_magnitude, static_cast<double>(step) / kSteps);
    KERF_TRY(const double now, error(factors));
    if (step > 0 && !(now < least)) continue;
    least = now;
    best = std::move(factors);
  }
  return best;
}

const Method methods::awq{
    .name = "awq",
    .summary = "columns of large inputs stretched before rounding, folded into what makes the inputs",
    .needs = Method::Needs::full_moments,
    .damping = 0,
    .rounder_bytes = [](std::size_t n_cols) -> std::uint64_t { return n_cols * n_cols * sizeof(float); },
    .make_rounder = [](Gram* inputs, const MethodOptions& options,
                       ThreadPool&) -> Result<std::unique_ptr<RowRounder>> {
      return std::make_unique<ColumnRounder>(inputs->mean_square(), options.search);
    },
    .column_factors = column_factors};

}  // namespace kerf

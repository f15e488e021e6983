#include "kerf/methods/fallback.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

constexpr std::size_t kSampleTensors = 4;
constexpr std::size_t kSampleRows = 4;   // of each tensor
constexpr double kNegligible = 0x1p-24;  // squared error of binary16: what is below is not worth bytes

bool is_candidate(const Format& format, const Format& asked, std::uint64_t row_length) {
  const double excess = format.bits_per_weight() - asked.bits_per_weight();
  // What another reader was meant to open stays what it can open.
  const bool as_readable = format.in_gguf() || !asked.in_gguf();
  return format.writable() && !format.plain() && as_readable && format.fits(row_length) && excess >= 0.0 &&
         excess <= 2.0;
}

/// Rows spread evenly over tensors that are spread evenly over the list.
Result<std::vector<float>> sample_rows(const ModelSource& source,
                                       const std::vector<const SourceTensor*>& tensors) {
  std::vector<float> values;
  const std::size_t n_tensors = std::min(kSampleTensors, tensors.size());
  for (std::size_t i = 0; i < n_tensors; ++i) {
    const SourceTensor& tensor = *tensors[i * tensors.size() / n_tensors];
    const std::uint64_t n_rows = std::min<std::uint64_t>(kSampleRows, tensor.n_rows());
    for (std::uint64_t r = 0; r < n_rows; ++r) {
      const std::size_t begin = values.size();
      values.resize(begin + tensor.row_length());
      KERF_CHECK_OK(source.read_rows(tensor, r * tensor.n_rows() / n_rows, 1, values.data() + begin));
    }
  }
  return values;
}

/// Of rows of n_cols.
double nmse_of(const Format& format, const std::vector<float>& x, std::size_t n_cols) {
  const std::size_t n_rows = x.size() / n_cols;
  std::vector<std::uint8_t> bytes(n_rows * format.row_bytes(n_cols));
  std::vector<float> back(x.size());
  quantize_rows(format, x.data(), nullptr, bytes.data(), n_rows, n_cols);
  decode_rows(format, bytes.data(), n_rows, n_cols, back.data());
  double error = 0;
  double power = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += (static_cast<double>(x[i]) - back[i]) * (static_cast<double>(x[i]) - back[i]);
    power += static_cast<double>(x[i]) * x[i];
  }
  return power > 0 ? error / power : 0;
}

}  // namespace

Result<const Format*> choose_fallback(const ModelSource& source, const Format& asked,
                                      const std::vector<const SourceTensor*>& samples) {
  KERF_TRY(const std::vector<float> values, sample_rows(source, samples));
  const Format* best = &formats::f16;
  double best_score = std::numeric_limits<double>::infinity();
  for (const Format* format : all_formats()) {
    const std::uint64_t n_cols = samples.front()->row_length();
    if (!is_candidate(*format, asked, n_cols)) continue;
    const double score = std::max(nmse_of(*format, values, n_cols), kNegligible) *
                         std::exp2(2 * format->bits_per_weight(n_cols));
    if (score < best_score) {
      best_score = score;
      best = format;
    }
  }
  return best;
}

}  // namespace kerf

// Linear layers with quantized activations, simulated to the last bit: what a kernel for them must give.
//
// A dot product is cut wherever a scale of the weight or of the activations changes. In each piece the codes
// are multiplied and summed as integers, S = Σ a·w and A = Σ a; then in binary64, from the first piece to the
// last, y += sx·(sw·S + ow·A), every operation rounded, and y is rounded to binary32 before the bias is added
// in binary32. Outlier columns of LLM.int8() come after, in binary64, in ascending order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "kerf/base/result.h"
#include "kerf/calib/calibration.h"
#include "kerf/model/activation_quantizer.h"
#include "kerf/model/integer_weight.h"
#include "kerf/model/linear_engine.h"

namespace kerf {

/// Ranges of activations by the name of the weight they flow into.
using StaticRanges = std::map<std::string, ActivationRange, std::less<>>;

/// What an observer, or a rule on its histogram, says of every site: min-max, moving-average, percentile,
/// entropy or mse. Errors: usage (another name), input (the calibration has no such observer), those of
/// Observer::ranges().
Result<StaticRanges> static_ranges(const Calibration& calibration, std::string_view rule, CodeType code);

class QuantizedEngine final : public LinearEngine {
 public:
  /// `ranges` are read for static scales only; `weights` as in IntegerWeight::of().
  QuantizedEngine(const ActivationSpec& spec, const std::optional<CodeType>& weights,
                  StaticRanges ranges = {})
      : spec_(spec), weights_(weights), ranges_(std::move(ranges)) {}

  void multiply(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
                std::size_t y_stride, ThreadPool& pool) override;

  /// The first thing that prevented a result. Errors: numeric (NaN or infinity flows into a weight),
  /// input (no static range for one), unsupported (a weight that is not integers).
  [[nodiscard]] const Result<void>& status() const noexcept { return status_; }
  /// Part of the columns, counted once per call and input, that were kept apart as outliers.
  [[nodiscard]] double outlier_share() const noexcept {
    return n_columns_ == 0 ? 0 : static_cast<double>(n_outliers_) / static_cast<double>(n_columns_);
  }

 private:
  struct Input;
  Result<Input> prepare(const Linear& layer, std::span<const float> x);
  Result<void> multiply_one(const Linear& layer, const Input& input, float* y, std::size_t y_stride,
                            ThreadPool& pool) const;

  ActivationSpec spec_;
  std::optional<CodeType> weights_;
  StaticRanges ranges_;
  Result<void> status_;
  std::uint64_t n_outliers_ = 0, n_columns_ = 0;
};

}  // namespace kerf

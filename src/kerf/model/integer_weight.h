// The rows of a weight as integers with scales and offsets, ready for integer products.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/model/activation_quantizer.h"
#include "kerf/model/linear.h"

namespace kerf {

/// w[k] = scales[g]·codes[k] + offsets[g], g = k / group.
struct IntegerRow {
  std::size_t group = 0;
  std::vector<std::int32_t> codes;     // [K], or more: the unused end of the last block
  std::vector<float> scales, offsets;  // [ceil(K / group)]
};

class IntegerWeight {
 public:
  /// The integers that the file has or, with a code type, each row rounded to those of one scale of its own.
  /// Errors: unsupported (no code type and the format's numbers are not scaled integers).
  static Result<IntegerWeight> of(const Linear& layer, const std::optional<CodeType>& code);

  /// A row whose scales and offsets are all the same is one group. `decoded` [K] is the row as the file has
  /// it, and is read only with a code type.
  void unpack(std::size_t row, const float* decoded, IntegerRow& out) const;

  /// See CodeType::narrow().
  [[nodiscard]] bool narrow() const noexcept { return !code_ || code_->narrow(); }
  [[nodiscard]] bool needs_decoded() const noexcept { return code_.has_value(); }

 private:
  IntegerWeight(const WeightView& view, const Format& blocks, const std::optional<CodeType>& code)
      : view_(view), blocks_(&blocks), code_(code) {}
  void load_blocks(std::size_t row, IntegerRow& out) const;

  WeightView view_;
  const Format* blocks_;  // the format of the blocks behind a row's header
  std::optional<CodeType> code_;
};

}  // namespace kerf

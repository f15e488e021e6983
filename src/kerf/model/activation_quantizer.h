// Rows of numbers as integers with scales: what a kernel for quantized activations multiplies.
//
//   intB   c = clip(rne(x / s), ±(2^(B−1) − 1))           s = max|x| / (2^(B−1) − 1)
//   uintB  c = clip(rne(x / s) + z, 0 … 2^B − 1) − z      s = (high − low) / (2^B − 1), z = rne(−low / s),
//                                                         low ≤ 0 ≤ high
//   fp8-e4m3  c = 512 · e4m3(x / s)                       s = max|x| / 448; every E4M3 number is c / 512
//
// x̂ = s · c. Scales are rounded once from binary64 to binary32, x / s is a binary32 quotient. A row of zeros
// has s = 0 and c = 0. Saturates instead of overflowing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/calib/observer.h"

namespace kerf {

struct CodeType {
  enum class Kind : std::uint8_t { signed_integer, unsigned_integer, e4m3 };

  Kind kind = Kind::signed_integer;
  int bits = 8;

  [[nodiscard]] bool symmetric() const noexcept { return kind != Kind::unsigned_integer; }
  /// Codes and sums of their products fit 16 and 32 bits, for rows of up to 2^15 numbers.
  [[nodiscard]] bool narrow() const noexcept { return kind != Kind::e4m3; }
};

struct ActivationSpec {
  enum class Scope : std::uint8_t { token, group, tensor, fixed };

  CodeType code;
  Scope scope = Scope::token;
  std::size_t group = 0;         ///< numbers that share a scale, of Scope::group
  bool splits_outliers = false;  ///< LLM.int8()
  float outlier_threshold = 6.0F;
};

/// «int8:token», «uint4:group:64», «int8:tensor», «int8:static», «fp8-e4m3:token», «llm-int8» (int8:token
/// with outlier columns apart: Dettmers et al. 2022, §3). Errors: usage.
Result<ActivationSpec> parse_activation_spec(std::string_view text);

/// «int8:row», «int4:row», «fp8-e4m3:row»; nothing for «file». Errors: usage.
Result<std::optional<CodeType>> parse_weight_spec(std::string_view text);

struct QuantizedRows {
  std::size_t n_cols = 0;           // K
  std::size_t group = 0;            // numbers per scale; the last group of a row may be shorter
  std::vector<std::int32_t> codes;  // [T, K], with the zero point taken off
  std::vector<float> scales;        // [T, ceil(K / group)]

  [[nodiscard]] std::size_t n_groups() const noexcept { return (n_cols + group - 1) / group; }
};

/// One scale and zero point for x, from its own range or from `range`; writes codes and returns the scale per
/// code. x is finite; symmetric types need only the magnitude of a range.
float quantize_span(CodeType type, std::span<const float> x, const ActivationRange& range,
                    std::int32_t* codes) noexcept;
[[nodiscard]] ActivationRange range_of(std::span<const float> x) noexcept;

/// x [T, K], finite. `range` is read for Scope::fixed only.
QuantizedRows quantize_rows(const ActivationSpec& spec, std::span<const float> x, std::size_t n_cols,
                            const ActivationRange& range);

}  // namespace kerf

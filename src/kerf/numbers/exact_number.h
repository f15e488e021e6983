// ExactNumber: a rational number, an infinity or NaN. What a user writes and what a bit pattern stands for
// are kept without rounding, so that the one rounding of a conversion is the only one.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kerf/base/result.h"
#include "kerf/numbers/natural.h"

namespace kerf {

struct ExactNumber {
  enum class Kind : std::uint8_t { finite, infinite, nan };

  Kind kind = Kind::finite;
  bool negative = false;  ///< of zero, too
  Natural numerator;      ///< |x| = numerator / denominator, if finite; not always in lowest terms
  Natural denominator = 1;

  [[nodiscard]] static ExactNumber infinity(bool negative);
  [[nodiscard]] static ExactNumber nan();
  /// ±significand · 2^exponent.
  [[nodiscard]] static ExactNumber dyadic(bool negative, std::uint64_t significand, int exponent);
  /// Every double, infinities and NaN too.
  [[nodiscard]] static ExactNumber of(double value);

  [[nodiscard]] bool is_finite() const noexcept { return kind == Kind::finite; }
  [[nodiscard]] bool is_nan() const noexcept { return kind == Kind::nan; }
  [[nodiscard]] bool is_infinite() const noexcept { return kind == Kind::infinite; }
  [[nodiscard]] bool is_zero() const noexcept { return is_finite() && numerator.is_zero(); }

  /// ⌊log2 |x|⌋; x is finite and not zero.
  [[nodiscard]] int floor_log2() const;
  /// x · 2^exponent; x is finite.
  [[nodiscard]] ExactNumber scaled(int exponent) const;
  [[nodiscard]] ExactNumber magnitude() const;
  /// The same number in lowest terms.
  [[nodiscard]] ExactNumber reduced() const;
  /// To the nearest binary64, ties to even; beyond its range infinity.
  [[nodiscard]] double to_double() const;
};

/// Of finite numbers; the divisor is not zero.
[[nodiscard]] ExactNumber operator-(const ExactNumber& a, const ExactNumber& b);
[[nodiscard]] ExactNumber operator*(const ExactNumber& a, const ExactNumber& b);
[[nodiscard]] ExactNumber operator/(const ExactNumber& a, const ExactNumber& b);
/// −0 equals 0; NaN is unordered.
[[nodiscard]] std::partial_ordering compare(const ExactNumber& a, const ExactNumber& b);

/// Reads «25.125», «-1e-3», «.5», «0x1.8p3», «1/3», «3.2/127», «inf», «nan»; a sign may lead, case does not
/// matter. Errors: usage (not a number, too long, an exponent beyond kLargestExponent).
Result<ExactNumber> parse_number(std::string_view text);
/// Of powers of ten; four times as large for powers of two.
inline constexpr int kLargestExponent = 5000;

/// All digits, «0.100000001490116119384765625», or «1.40129…e-45» when very large or small; nothing if the
/// decimal fraction never ends. Infinities and NaN are «inf», «-inf», «nan».
[[nodiscard]] std::optional<std::string> exact_decimal(const ExactNumber& value);
/// The first `digits` significant digits, correctly rounded, trailing zeros left out.
[[nodiscard]] std::string short_decimal(const ExactNumber& value, int digits);

/// Binary digits of |x| / 2^exponent: «11001.001», the fraction cut after `fraction_digits` with «…» behind
/// if it goes on. x is finite.
[[nodiscard]] std::string binary_digits(const ExactNumber& value, int exponent, int fraction_digits);

}  // namespace kerf

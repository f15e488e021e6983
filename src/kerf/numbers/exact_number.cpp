#include "kerf/numbers/exact_number.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kerf/base/check.h"

namespace kerf {

ExactNumber ExactNumber::infinity(bool negative) {
  return {Kind::infinite, negative, {}, 1};
}

ExactNumber ExactNumber::nan() {
  return {Kind::nan, false, {}, 1};
}

ExactNumber ExactNumber::dyadic(bool negative, std::uint64_t significand, int exponent) {
  return ExactNumber{Kind::finite, negative, significand, 1}.scaled(exponent);
}

ExactNumber ExactNumber::of(double value) {
  if (std::isnan(value)) return nan();
  if (std::isinf(value)) return infinity(value < 0);
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);  // in [0.5, 1), or 0
  return dyadic(std::signbit(value), static_cast<std::uint64_t>(std::ldexp(fraction, 53)), exponent - 53);
}

int ExactNumber::floor_log2() const {
  KERF_CHECK(is_finite() && !numerator.is_zero());
  const int estimate = static_cast<int>(numerator.bit_length()) - static_cast<int>(denominator.bit_length());
  // The quotient of an n-digit and an m-digit number is in (2^(n−m−1), 2^(n−m+1)).
  const ExactNumber unit = magnitude().scaled(-estimate);
  return unit.numerator < unit.denominator ? estimate - 1 : estimate;
}

ExactNumber ExactNumber::scaled(int exponent) const {
  KERF_CHECK(is_finite());
  ExactNumber out = *this;
  if (exponent >= 0)
    out.numerator = numerator << static_cast<std::size_t>(exponent);
  else
    out.denominator = denominator << static_cast<std::size_t>(-exponent);
  return out;
}

ExactNumber ExactNumber::magnitude() const {
  ExactNumber out = *this;
  out.negative = false;
  return out;
}

ExactNumber ExactNumber::reduced() const {
  KERF_CHECK(is_finite());
  Natural a = numerator;
  Natural b = denominator;
  while (!b.is_zero()) {
    Natural rest = a.divide(b).second;
    a = std::move(b);
    b = std::move(rest);
  }
  return {kind, negative, numerator.divide(a).first, denominator.divide(a).first};
}

double ExactNumber::to_double() const {
  if (is_nan()) return std::numeric_limits<double>::quiet_NaN();
  const double sign = negative ? -1.0 : 1.0;
  if (is_infinite()) return sign * std::numeric_limits<double>::infinity();
  if (numerator.is_zero()) return sign * 0.0;
  const int exponent = std::max(floor_log2(), -1022) - 52;  // of the last place
  const ExactNumber places = scaled(-exponent);
  const auto [kept, rest] = places.numerator.divide(places.denominator);
  const auto half = (rest << 1) <=> places.denominator;
  const bool up = half > 0 || (half == 0 && kept.bit(0));
  return sign * std::ldexp(static_cast<double>(kept.low64() + (up ? 1 : 0)), exponent);
}

ExactNumber operator-(const ExactNumber& a, const ExactNumber& b) {
  KERF_CHECK(a.is_finite() && b.is_finite());
  const Natural left = a.numerator * b.denominator;
  const Natural right = b.numerator * a.denominator;
  ExactNumber out;
  out.denominator = a.denominator * b.denominator;
  if (a.negative != b.negative) {
    out.numerator = left + right;
    out.negative = a.negative;
  } else {
    const bool swapped = left < right;
    out.numerator = swapped ? right - left : left - right;
    out.negative = a.negative != swapped;
  }
  if (out.numerator.is_zero()) out.negative = false;
  return out;
}

ExactNumber operator*(const ExactNumber& a, const ExactNumber& b) {
  KERF_CHECK(a.is_finite() && b.is_finite());
  return {ExactNumber::Kind::finite, a.negative != b.negative, a.numerator * b.numerator,
          a.denominator * b.denominator};
}

ExactNumber operator/(const ExactNumber& a, const ExactNumber& b) {
  KERF_CHECK(a.is_finite() && b.is_finite() && !b.is_zero());
  return {ExactNumber::Kind::finite, a.negative != b.negative, a.numerator * b.denominator,
          a.denominator * b.numerator};
}

std::partial_ordering compare(const ExactNumber& a, const ExactNumber& b) {
  if (a.is_nan() || b.is_nan()) return std::partial_ordering::unordered;
  const auto sign = [](const ExactNumber& x) { return x.is_zero() ? 0 : x.negative ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) <=> sign(b);
  if (a.is_infinite() || b.is_infinite()) {
    const std::strong_ordering larger = a.is_infinite() <=> b.is_infinite();
    return sign(a) < 0 ? 0 <=> larger : larger;
  }
  const std::strong_ordering larger = a.numerator * b.denominator <=> b.numerator * a.denominator;
  return sign(a) < 0 ? 0 <=> larger : larger;
}

std::string binary_digits(const ExactNumber& value, int exponent, int fraction_digits) {
  const ExactNumber x = value.magnitude().scaled(-exponent);
  auto [whole, rest] = x.numerator.divide(x.denominator);
  std::string digits;
  for (std::size_t i = whole.bit_length(); i-- > 0;) digits += whole.bit(i) ? '1' : '0';
  if (digits.empty()) digits = "0";
  if (rest.is_zero()) return digits;
  digits += '.';
  for (int i = 0; i < fraction_digits && !rest.is_zero(); ++i) {
    rest = rest << 1;
    const bool one = rest >= x.denominator;
    if (one) rest = rest - x.denominator;
    digits += one ? '1' : '0';
  }
  return rest.is_zero() ? digits : digits + "…";
}

}  // namespace kerf

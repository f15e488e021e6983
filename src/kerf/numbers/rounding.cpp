#include "kerf/numbers/rounding.h"

#include <algorithm>

#include "kerf/base/check.h"

namespace kerf {
namespace {

using Kind = ScalarFormat::Kind;

constexpr NamedRounding kModes[] = {
    {RoundingMode::nearest_even, "nearest-even"},
    {RoundingMode::nearest_away, "nearest-away"},
    {RoundingMode::nearest_up, "nearest-up"},
    {RoundingMode::toward_zero, "toward-zero"},
    {RoundingMode::floor, "floor"},
    {RoundingMode::ceil, "ceil"},
    {RoundingMode::stochastic, "stochastic"},
};

/// Directed rounding stops at the largest number instead of overflowing (IEEE 754 §7.4).
bool stops_at_largest(RoundingMode rounding, bool negative) {
  return rounding == RoundingMode::toward_zero || (rounding == RoundingMode::floor && !negative) ||
         (rounding == RoundingMode::ceil && negative);
}

std::uint64_t nearest_end(const ScalarFormat& format, bool negative) {
  return negative ? lowest_bits(format) : highest_bits(format);
}

/// A finite or infinite x beyond the range.
Encoded overflowed(const ScalarFormat& format, bool negative, Overflow policy) {
  const bool wants_infinity = policy == Overflow::infinity;
  if (wants_infinity && format.has_infinity() && (format.is_signed() || !negative)) {
    const auto infinity = neighbours(format, nearest_end(format, negative));
    return {.bits = negative ? infinity.below : infinity.above, .fate = Fate::infinite};
  }
  if ((wants_infinity || policy == Overflow::nan) && format.has_nan())
    return {.bits = format.nan_bits(), .fate = Fate::nan};
  return {.bits = nearest_end(format, negative), .fate = Fate::saturated};
}

Encoded encode_float(const ScalarFormat& format, const ExactNumber& x, const EncodeOptions& options,
                     Overflow policy) {
  if (x.is_zero())
    return {.bits = x.negative && format.sign_bits != 0 ? 1ULL << (format.bits - 1) : 0, .split = Split{}};
  if (x.negative &&
      format.sign_bits == 0)  // below the range, whatever the policy: what scales are clamped to
    return {.bits = 0, .fate = Fate::saturated};
  const int exponent = x.floor_log2();
  const int least = format.min_normal_exponent();
  Encoded out;
  out.subnormal = exponent < least;
  out.split = split_at(x, std::max(exponent, least) - format.mantissa_bits);
  out.rounded_up = rounds_up(*out.split, x.negative, options.rounding, options.random);
  const int largest_exponent = (1 << format.exponent_bits) - 1 - format.bias;
  // The leading one of `kept` adds one to the exponent field, as does the carry of rounding.
  const auto field = static_cast<std::uint64_t>(std::max(exponent, least) - least);
  const std::uint64_t magnitude =
      exponent > largest_exponent
          ? ~0ULL
          : (field << format.mantissa_bits) + out.split->kept.low64() + (out.rounded_up ? 1 : 0);
  if (magnitude <= highest_bits(format)) {
    const std::uint64_t sign = x.negative ? 1ULL << (format.bits - 1) : 0;
    out.bits = sign | magnitude;
    return out;
  }
  if (stops_at_largest(options.rounding, x.negative)) policy = Overflow::saturate;
  const Encoded beyond = overflowed(format, x.negative, policy);
  out.bits = beyond.bits;
  out.fate = beyond.fate;
  return out;
}

/// E8M0: the exponent log2 x is what is rounded. To nearest, the border is x = √2 · 2^k, which no rational
/// number is.
Encoded encode_power_of_two(const ScalarFormat& format, const ExactNumber& x, const EncodeOptions& options,
                            Overflow policy) {
  if (x.is_zero() || x.negative) return {.bits = 0, .fate = Fate::saturated};
  int exponent = x.floor_log2();
  const ExactNumber unit = x.scaled(-exponent);  // in [1, 2)
  const bool exact = unit.numerator == unit.denominator;
  bool up = compare(unit * unit, ExactNumber::dyadic(false, 2, 0)) > 0;
  if (options.rounding == RoundingMode::ceil) up = true;
  if (options.rounding == RoundingMode::floor || options.rounding == RoundingMode::toward_zero) up = false;
  if (options.rounding == RoundingMode::stochastic)  // with the probability that keeps the mean: unit − 1
    up = rounds_up(split_at(unit, 0), false, RoundingMode::stochastic, options.random);
  const bool rounded_up = !exact && up;
  exponent += rounded_up ? 1 : 0;
  const int biased = exponent + format.bias;
  Encoded out;
  if (biased < 0)
    out = {.bits = 0, .fate = Fate::saturated};
  else if (biased > static_cast<int>(highest_bits(format)))
    out = overflowed(format, false, stops_at_largest(options.rounding, false) ? Overflow::saturate : policy);
  else
    out.bits = static_cast<std::uint64_t>(biased);
  out.rounded_up = rounded_up;
  return out;
}

/// One bit keeps the sign; what lies between −1 and 1 has no nearer level when it is 0, which counts as
/// positive.
Encoded encode_plus_minus_one(const ExactNumber& x, const EncodeOptions& options) {
  const ExactNumber one = ExactNumber::dyadic(false, 1, 0);
  const ExactNumber minus_one = ExactNumber::dyadic(true, 1, 0);
  const bool beyond = compare(x, one) > 0 || compare(x, minus_one) < 0;
  bool high = !x.negative || x.is_zero();
  if (!beyond && options.rounding == RoundingMode::floor) high = compare(x, one) == 0;
  if (!beyond && options.rounding == RoundingMode::ceil) high = compare(x, minus_one) > 0;
  if (!beyond && options.rounding == RoundingMode::stochastic) {
    const ExactNumber share = (x - minus_one).scaled(-1);  // of the way from −1 to 1
    high = share.numerator == share.denominator ||
           rounds_up(split_at(share, 0), false, RoundingMode::stochastic, options.random);
  }
  return {.bits = high ? 1 : 0, .fate = beyond ? Fate::saturated : Fate::in_range};
}

Encoded encode_fixed_point(const ScalarFormat& format, const ExactNumber& x, const EncodeOptions& options,
                           Overflow policy) {
  if (format.encoding == IntegerEncoding::plus_minus_one) return encode_plus_minus_one(x, options);
  Encoded out;
  out.split = split_at(x, -format.fraction_bits);
  out.rounded_up = rounds_up(*out.split, x.negative, options.rounding, options.random);
  const Natural magnitude = out.split->kept + Natural{out.rounded_up ? 1U : 0U};
  const bool fits_word = magnitude.bit_length() <= 64;
  const Ordinal low = magnitude.low64();
  const Ordinal value = x.negative ? -low : low;
  if (fits_word && value >= format.lowest && value <= format.highest) {
    out.bits = bits_of_ordinal(format, value);
  } else if (policy == Overflow::wrap && format.encoding != IntegerEncoding::offset) {
    out.bits = bits_of_ordinal(format, value);
    out.fate = Fate::wrapped;
  } else {
    out.bits = nearest_end(format, x.negative);
    out.fate = Fate::saturated;
  }
  return out;
}

}  // namespace

std::span<const NamedRounding> all_rounding_modes() noexcept {
  return kModes;
}

std::string_view name_of(RoundingMode rounding) noexcept {
  return kModes[static_cast<std::size_t>(rounding)].name;
}

std::optional<RoundingMode> find_rounding_mode(std::string_view name) noexcept {
  for (const NamedRounding& mode : kModes)
    if (mode.name == name) return mode.rounding;
  return std::nullopt;
}

Remainder Split::remainder() const {
  if (rest.numerator.is_zero()) return Remainder::none;
  const auto order = (rest.numerator << 1) <=> rest.denominator;
  return order < 0 ? Remainder::below_half : order == 0 ? Remainder::half : Remainder::above_half;
}

Split split_at(const ExactNumber& x, int last_place) {
  const ExactNumber places = x.magnitude().scaled(-last_place);
  auto [kept, rest] = places.numerator.divide(places.denominator);
  return {
      std::move(kept), {ExactNumber::Kind::finite, false, std::move(rest), places.denominator}, last_place};
}

bool rounds_up(const Split& split, bool negative, RoundingMode rounding, std::uint64_t random) {
  const Remainder remainder = split.remainder();
  if (remainder == Remainder::none) return false;
  const bool beyond_half = remainder == Remainder::above_half;
  const bool tie = remainder == Remainder::half;
  switch (rounding) {
    case RoundingMode::nearest_even:
      return beyond_half || (tie && split.kept.bit(0));
    case RoundingMode::nearest_away:
      return beyond_half || tie;
    case RoundingMode::nearest_up:
      return beyond_half || (tie && !negative);
    case RoundingMode::toward_zero:
      return false;
    case RoundingMode::floor:
      return negative;
    case RoundingMode::ceil:
      return !negative;
    case RoundingMode::stochastic:
      return Natural{random} * split.rest.denominator < split.rest.numerator << 64;
  }
  return false;
}

ExactNumber round_to_integer(const ExactNumber& x, RoundingMode rounding, std::uint64_t random) {
  const Split split = split_at(x, 0);
  const bool up = rounds_up(split, x.negative, rounding, random);
  return {ExactNumber::Kind::finite, x.negative, split.kept + Natural{up ? 1U : 0U}, 1};
}

Encoded encode(const ScalarFormat& format, const ExactNumber& x, const EncodeOptions& options) {
  const Overflow policy = options.overflow.value_or(format.overflow);
  if (x.is_nan()) {
    if (!format.has_nan()) return {};
    return {.bits = format.nan_bits(), .fate = Fate::nan};
  }
  if (x.is_infinite()) {
    if (x.negative && format.is_float() && format.sign_bits == 0)
      return {.bits = lowest_bits(format), .fate = Fate::saturated};
    return overflowed(format, x.negative, policy);
  }
  switch (format.kind) {
    case Kind::floating:
      return encode_float(format, x, options, policy);
    case Kind::power_of_two:
      return encode_power_of_two(format, x, options, policy);
    case Kind::fixed_point:
      return encode_fixed_point(format, x, options, policy);
  }
  return {};
}

}  // namespace kerf

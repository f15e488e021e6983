// The derivation of a conversion, as a textbook writes it.
#include <fmt/format.h>

#include <algorithm>

#include "kerf/cli/number_report.h"

namespace kerf::cli {
namespace {

using Kind = ScalarFormat::Kind;
using Steps = std::vector<std::string>;

/// Digits behind the point that are shown of what is going to be cut off.
constexpr int kShownBeyond = 8;
/// Numbers of these exponents are written out in binary before they are normalised.
constexpr int kSmallestWritten = -10;
constexpr int kLargestWritten = 40;

/// A number as typed, cut if it is endless.
std::string shortened(const std::string& text) {
  constexpr std::size_t kLongest = 48;
  return text.size() <= kLongest
             ? text
             : text.substr(0, kLongest / 2) + "…" + text.substr(text.size() - kLongest / 4);
}

std::string without_sign(const std::string& text) {
  constexpr std::string_view kMinusSign = "\u2212";
  if (text.starts_with('-') || text.starts_with('+')) return text.substr(1);
  return text.starts_with(kMinusSign) ? text.substr(kMinusSign.size()) : text;
}

/// The digits of `kept`, of which `fraction` are behind the point: 1100₂ with 3 gives «1.100».
std::string with_point(const Natural& kept, int fraction) {
  std::string digits;
  for (int i = std::max(static_cast<int>(kept.bit_length()), fraction + 1); i-- > 0;) {
    digits += kept.bit(static_cast<std::size_t>(i)) ? '1' : '0';
    if (i == fraction && i != 0) digits += '.';
  }
  return digits;
}

/// The first binary digits of a fraction below 1, without «0.».
std::string digits_of_rest(const ExactNumber& rest) {
  const std::string digits = binary_digits(rest, 0, kShownBeyond);
  return digits.size() > 2 ? digits.substr(2) : "";
}

/// What the rule does with the part that was cut off, and why.
std::string decision(const Split& split, const NumberRequest& request, bool up) {
  const RoundingMode rounding = request.encode.rounding;
  const Remainder remainder = split.remainder();
  const std::string part = remainder == Remainder::half ? "exactly half" : brief(split.rest, 8);
  const std::string direction = up ? "up" : "down";
  std::string out = fmt::format("cut off is {} of a last place", part);
  const bool nearest = rounding == RoundingMode::nearest_even || rounding == RoundingMode::nearest_away ||
                       rounding == RoundingMode::nearest_up;
  if (!nearest) {
    if (rounding != RoundingMode::stochastic)
      return out + fmt::format("; {} takes the magnitude {}", name_of(rounding), direction);
    return out + fmt::format(", the probability of up; drawn {:.4f}: {}",
                             static_cast<double>(request.encode.random) * 0x1p-64, direction);
  }
  if (remainder != Remainder::half)
    return out +
           fmt::format(", {} than half: {}", remainder == Remainder::below_half ? "less" : "more", direction);
  out += ", a tie: ";
  if (rounding == RoundingMode::nearest_even)
    return out + fmt::format("to the even neighbour, whose last bit is 0, {}", direction);
  return out + fmt::format("{} takes the magnitude {}", name_of(rounding), direction);
}

std::string pattern_of(const ScalarFormat& format, std::uint64_t bits) {
  return fmt::format("{} = {}", joined(format, bit_fields(format, bits)), hexadecimal(format, bits));
}

/// «1.101₂ × 2⁻⁴», the digits that the mantissa field means.
std::string significand_times_power(const ScalarFormat& format, std::uint64_t bits) {
  const std::uint64_t mantissa = bits & ((1ULL << format.mantissa_bits) - 1);
  const ExponentPair exponent = *exponents(format, bits);
  std::string digits = exponent.biased == 0 && format.kind == Kind::floating ? "0" : "1";
  std::string fraction = with_point(mantissa, format.mantissa_bits).substr(1);
  while (!fraction.empty() && (fraction.back() == '0' || fraction.back() == '.')) fraction.pop_back();
  return fmt::format("{}{}₂ × {}", digits, fraction, power_of_two(exponent.actual));
}

// --- floats ------------------------------------------------------------------------------------------

/// «25.125 = 11001.001₂ = 1.1001001₂ × 2⁴».
std::string normalised(const std::string& name, const ExactNumber& x, int mantissa_bits) {
  const int exponent = x.floor_log2();
  const int shown = mantissa_bits + kShownBeyond;
  std::string out = name;
  if (exponent >= kSmallestWritten && exponent <= kLargestWritten && exponent != 0)
    out += fmt::format(" = {}₂", binary_digits(x, 0, std::max(shown - exponent, 1)));
  return out + fmt::format(" = {}₂ × {}", binary_digits(x, exponent, shown), power_of_two(exponent));
}

void explain_digits(const NumberRequest& request, const NumberReport& report, Steps& steps) {
  const ScalarFormat& format = report.format;
  const Split& split = *report.encoded.split;
  const int p = format.mantissa_bits;
  const std::string kept = with_point(split.kept, p);
  const std::string fraction = p > 0 ? kept.substr(kept.find('.') + 1) : "";
  if (split.remainder() == Remainder::none) {
    steps.push_back(
        fmt::format("mantissa: the {} digits behind the point are {}: nothing is cut off", p, fraction));
    return;
  }
  std::string line =
      fmt::format("mantissa: keep {} digit{} behind the point, {}|{}: {}", p, p == 1 ? "" : "s", kept,
                  digits_of_rest(split.rest), decision(split, request, report.encoded.rounded_up));
  const Natural rounded = split.kept + Natural{report.encoded.rounded_up ? 1U : 0U};
  line += fmt::format(" to {}", with_point(rounded, p));
  if (rounded.bit_length() > split.kept.bit_length() && rounded.bit_length() > static_cast<std::size_t>(p)) {
    line += report.encoded.subnormal
                ? ", the smallest normal number"
                : fmt::format(" = {} × 2, one exponent higher", with_point(rounded >> 1, p));
  }
  steps.push_back(line);
}

void explain_overflow(const NumberRequest& request, const NumberReport& report, Steps& steps) {
  const ScalarFormat& format = report.format;
  const ExactNumber largest = *decode(format, highest_bits(format));
  std::string line = fmt::format("the largest number is {}", brief(largest));
  const RoundingMode rounding = request.encode.rounding;
  if (format.kind == Kind::floating &&
      (rounding == RoundingMode::nearest_even || rounding == RoundingMode::nearest_away)) {
    const int last_place = largest.floor_log2() - format.mantissa_bits;
    const ExactNumber half_step = ExactNumber::dyadic(true, 1, last_place - 1);
    const bool tie_stays = rounding == RoundingMode::nearest_even && (highest_bits(format) & 1U) == 0;
    line += fmt::format(", {} {}{} overflows", tie_stays ? "what is beyond" : "everything from",
                        brief(largest - half_step), tie_stays ? "" : " on");
  }
  switch (report.encoded.fate) {
    case Fate::infinite:
      line += ": infinity (IEEE 754 §7.4)";
      break;
    case Fate::nan:
      line += ": NaN";
      break;
    default:
      line += ": saturates";
      if (!format.has_infinity() && !format.has_nan()) line += ", as the format has neither infinity nor NaN";
      break;
  }
  steps.push_back(line);
}

void explain_float(const NumberRequest& request, const NumberReport& report, const std::string& name,
                   const ExactNumber& x, Steps& steps) {
  const ScalarFormat& format = report.format;
  const std::uint64_t bits = *report.encoded.bits;
  if (!report.encoded.split) {
    steps.push_back(fmt::format("{} has no sign: what is negative becomes the least number", format.name));
    return;
  }
  if (x.negative) steps.push_back("sign: negative, 1; from here on the magnitude");
  steps.push_back(normalised(name, x, format.mantissa_bits));
  const int least = format.min_normal_exponent();
  if (report.encoded.subnormal)
    steps.push_back(fmt::format(
        "subnormal: the smallest normal number is {0}, so no leading one: {1}₂ × {0}, exponent field 0",
        power_of_two(least), binary_digits(x, least, format.mantissa_bits + kShownBeyond)));
  explain_digits(request, report, steps);
  if (report.encoded.fate != Fate::in_range) {
    explain_overflow(request, report, steps);
    return;
  }
  const ExponentPair exponent = *exponents(format, bits);
  if (exponent.biased == 0) return;
  // Rounding may still change the exponent; where nothing is rounded it comes first, as textbooks have it.
  const bool rounded = report.encoded.split->remainder() != Remainder::none;
  steps.insert(steps.end() - (rounded ? 0 : 1),
               fmt::format("exponent: {} + {} = {} = {}₂", exponent.actual, format.bias, exponent.biased,
                           bit_fields(format, bits).exponent));
}

void explain_power_of_two(const NumberRequest& request, const NumberReport& report, const std::string& name,
                          const ExactNumber& x, Steps& steps) {
  const ScalarFormat& format = report.format;
  if (x.negative || x.is_zero()) {
    steps.push_back(fmt::format("{} has neither sign nor zero: the least number", format.name));
    return;
  }
  steps.push_back(normalised(name, x, kShownBeyond));
  const ExactNumber unit = x.scaled(-x.floor_log2());
  const bool is_power = unit.numerator == unit.denominator;
  if (!is_power) {
    const std::string direction = report.encoded.rounded_up ? "up" : "down";
    const bool nearest = request.encode.rounding == RoundingMode::nearest_even ||
                         request.encode.rounding == RoundingMode::nearest_away ||
                         request.encode.rounding == RoundingMode::nearest_up;
    if (nearest)
      steps.push_back(fmt::format("the exponent is rounded: {} {} √2 = 1.41421…: {}", brief(unit, 10),
                                  report.encoded.rounded_up ? ">" : "<", direction));
    else
      steps.push_back(
          fmt::format("the exponent is rounded, {}: {}", name_of(request.encode.rounding), direction));
  }
  if (report.encoded.fate == Fate::in_range) {
    const ExponentPair exponent = *exponents(format, *report.encoded.bits);
    steps.push_back(fmt::format("exponent: {} + {} = {} = {}₂", exponent.actual, format.bias, exponent.biased,
                                bit_fields(format, *report.encoded.bits).exponent));
  } else {
    steps.push_back(fmt::format("the range ends at {}", brief(*report.stored)));
  }
}

// --- fixed point and integers ------------------------------------------------------------------------

std::string wide_decimal(Ordinal value) {
  const auto magnitude = static_cast<unsigned __int128>(value < 0 ? -value : value);
  const Natural natural = (Natural{static_cast<std::uint64_t>(magnitude >> 64)} << 64) +
                          Natural{static_cast<std::uint64_t>(magnitude)};
  return (value < 0 ? "-" : "") + natural.decimal();
}

void explain_integer_bits(const ScalarFormat& format, std::uint64_t bits, Steps& steps) {
  const Ordinal value = *ordinal_of(format, bits);
  const BitFields fields = bit_fields(format, bits);
  const std::string digits = fields.sign + fields.exponent + fields.mantissa;
  switch (format.encoding) {
    case IntegerEncoding::plus_minus_one:
      steps.push_back(fmt::format("the bit {}", value == 0 ? "0 means -1" : "1 means 1"));
      return;
    case IntegerEncoding::offset:
      steps.push_back(
          fmt::format("stored as {} + {} = {}₂", wide_decimal(value), wide_decimal(-format.lowest), digits));
      return;
    default:
      break;
  }
  if (value < 0)
    steps.push_back(fmt::format("two's complement: {} + {} = {} = {}₂", wide_decimal(value),
                                power_of_two(format.bits), bits, digits));
  else
    steps.push_back(fmt::format("{} = {}₂", wide_decimal(value), digits));
}

void explain_fixed_point(const NumberRequest& request, const NumberReport& report, const std::string& name,
                         const ExactNumber& x, Steps& steps) {
  const ScalarFormat& format = report.format;
  const int n = format.fraction_bits;
  if (format.encoding == IntegerEncoding::plus_minus_one) {
    steps.push_back(fmt::format("one bit keeps the sign of {}; 0 counts as positive", name));
    explain_integer_bits(format, *report.encoded.bits, steps);
    return;
  }
  const ExactNumber places = x.scaled(n);
  if (n != 0) steps.push_back(fmt::format("{} × {} = {}", name, power_of_two(n), brief(places)));
  const Split& split = *report.encoded.split;
  const Natural rounded = split.kept + Natural{report.encoded.rounded_up ? 1U : 0U};
  const std::string integer = (x.negative && !rounded.is_zero() ? "-" : "") + rounded.decimal();
  if (split.remainder() != Remainder::none)
    steps.push_back(fmt::format("{} is no whole number: {} to {}", brief(places),
                                decision(split, request, report.encoded.rounded_up), integer));
  if (report.encoded.fate == Fate::saturated)
    steps.push_back(fmt::format("{} is outside of {} … {}: saturates", integer, wide_decimal(format.lowest),
                                wide_decimal(format.highest)));
  if (report.encoded.fate == Fate::wrapped)
    steps.push_back(fmt::format("{} is outside of {} … {}: wraps around, the low {} bits stay", integer,
                                wide_decimal(format.lowest), wide_decimal(format.highest), format.bits));
  explain_integer_bits(format, *report.encoded.bits, steps);
}

// --- common ------------------------------------------------------------------------------------------

/// The value of a pattern from its fields.
void explain_value(const ScalarFormat& format, std::uint64_t bits, Steps& steps) {
  const auto value = decode(format, bits);
  const std::string exact = value ? exact_decimal(*value).value_or("") : "";
  if (!value) {
    steps.push_back("this pattern stands for nothing");
  } else if (value->is_nan()) {
    steps.push_back(format.specials == Specials::ieee
                        ? "exponent all ones, mantissa not zero: NaN"
                        : "all bits but the sign are ones: NaN, the only pattern that is no number");
  } else if (value->is_infinite()) {
    steps.push_back("exponent all ones, mantissa zero: infinity");
  } else if (value->is_zero()) {
    steps.push_back(format.is_float() ? "exponent and mantissa are zero: the value is zero, with its sign"
                                      : "the value is 0");
  } else if (format.kind == Kind::floating) {
    steps.push_back(fmt::format("value: {}{} = {}", value->negative ? "-" : "",
                                significand_times_power(format, bits), exact));
  } else if (format.kind == Kind::power_of_two) {
    steps.push_back(fmt::format("value: {} = {}", power_of_two(exponents(format, bits)->actual), exact));
  } else if (format.fraction_bits != 0) {
    steps.push_back(fmt::format("value: {} / {} = {}", wide_decimal(*ordinal_of(format, bits)),
                                power_of_two(format.fraction_bits), exact));
  } else {
    steps.push_back(fmt::format("value: {}", exact));
  }
}

}  // namespace

Steps explain_encoding(const NumberRequest& request, const NumberReport& report) {
  const ScalarFormat& format = report.format;
  ExactNumber x = *request.x;
  Steps steps;
  if (!report.encoded.bits) {
    steps.push_back(
        fmt::format("{} has no NaN: there is nothing to store, a program has to refuse", format.name));
    return steps;
  }
  if (x.is_nan()) {
    steps.push_back("NaN is stored as the quiet NaN");
  } else if (x.is_infinite()) {
    if (report.encoded.fate == Fate::infinite)
      steps.push_back("infinity is stored as itself");
    else
      explain_overflow(request, report, steps);
  } else {
    std::string name = shortened(without_sign(request.text));
    if (request.scale) {
      x = x / *request.scale;
      steps.push_back(fmt::format("{} / scale {} = {}", shortened(request.text),
                                  shortened(request.scale_text), brief(x)));
      name = brief(x.magnitude());
    }
    if (x.is_zero() && format.kind == Kind::floating)
      steps.push_back("zero: exponent and mantissa are zero; the sign is kept");
    else if (format.kind == Kind::floating)
      explain_float(request, report, name, x, steps);
    else if (format.kind == Kind::power_of_two)
      explain_power_of_two(request, report, name, x, steps);
    else
      explain_fixed_point(request, report, x.negative ? "-" + name : name, x, steps);
  }
  steps.push_back(fmt::format("bits: {}", pattern_of(format, *report.encoded.bits)));
  explain_value(format, *report.encoded.bits, steps);
  if (request.scale && report.value->is_finite())
    steps.push_back(fmt::format("{} × scale {} = {}", brief(*report.stored), shortened(request.scale_text),
                                brief(*report.value)));
  return steps;
}

Steps explain_pattern(const ScalarFormat& format, std::uint64_t bits) {
  Steps steps{fmt::format("bits: {}", pattern_of(format, bits))};
  const auto value = decode(format, bits);
  const BitFields fields = bit_fields(format, bits);
  if (format.kind == Kind::floating && format.sign_bits != 0)
    steps.push_back(fmt::format("sign: {}, {}", fields.sign, fields.sign == "1" ? "negative" : "positive"));
  if (const auto exponent = exponents(format, bits); exponent && !value->is_zero()) {
    if (exponent->biased == 0 && format.kind == Kind::floating)
      steps.push_back(fmt::format("exponent: field 0, subnormal: no leading one, exponent 1 − {} = {}",
                                  format.bias, exponent->actual));
    else
      steps.push_back(fmt::format("exponent: {}₂ = {}, {} − {} = {}", fields.exponent, exponent->biased,
                                  exponent->biased, format.bias, exponent->actual));
  }
  if (value && !format.is_float()) explain_integer_bits(format, bits, steps);
  explain_value(format, bits, steps);
  return steps;
}

}  // namespace kerf::cli

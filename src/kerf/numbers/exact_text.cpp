// Decimal text of exact numbers, in and out.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numbers>

#include "kerf/numbers/exact_number.h"

namespace kerf {
namespace {

constexpr std::size_t kLongestText = 1200;
/// Decimal exponents outside of this range are written with «e».
constexpr int kFirstPlain = -7;
constexpr int kLastPlain = 20;

// --- reading -----------------------------------------------------------------------------------------

/// Base 10 or 16, how much one digit behind the point is worth, and what the exponent counts.
struct Notation {
  std::uint32_t base;
  int digit_exponent;  // of the point, in units of the exponent's base
  std::uint32_t exponent_base;
  char exponent_letter;
  int largest_exponent;
};
constexpr Notation kDecimal{10, 1, 10, 'e', kLargestExponent};
constexpr Notation kHexadecimal{16, 4, 2, 'p', 4 * kLargestExponent};

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return 99;
}

/// «e-12»: the rest of the text after the digits; nothing if it is not one.
std::optional<long> read_exponent(std::string_view text, char letter) {
  if (text.empty()) return 0;
  if (text[0] != letter) return std::nullopt;
  text.remove_prefix(1);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  long exponent = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    exponent = std::min(exponent * 10 + (c - '0'), 1'000'000'000L);  // far beyond what is accepted
  }
  return negative ? -exponent : exponent;
}

Result<ExactNumber> read_digits(std::string_view text, const Notation& notation, const std::string& shown) {
  ExactNumber out;
  int n_digits = 0;
  int n_behind_point = 0;
  bool point = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !point) {
      point = true;
      continue;
    }
    const int digit = digit_value(text[at]);
    if (digit >= static_cast<int>(notation.base)) break;
    out.numerator = out.numerator * Natural{notation.base} + Natural{static_cast<std::uint64_t>(digit)};
    ++n_digits;
    n_behind_point += point ? 1 : 0;
  }
  const std::optional<long> exponent = read_exponent(text.substr(at), notation.exponent_letter);
  if (n_digits == 0 || !exponent)
    return fail(ErrorKind::usage, {},
                fmt::format("«{}» is not a number; write 25.125, -1e-3, 0x1.8p3, 1/3, inf or nan", shown));
  if (std::labs(*exponent) > notation.largest_exponent)
    return fail(ErrorKind::usage, {},
                fmt::format("«{}»: exponents beyond ±{} are not taken", shown, notation.largest_exponent));
  const long power = *exponent - static_cast<long>(n_behind_point) * notation.digit_exponent;
  const Natural factor = Natural::power(notation.exponent_base, static_cast<std::uint32_t>(std::labs(power)));
  (power >= 0 ? out.numerator : out.denominator) = power >= 0 ? out.numerator * factor : factor;
  return out;
}

/// Without a sign in front.
Result<ExactNumber> read_magnitude(std::string_view text, const std::string& shown) {
  if (text == "inf" || text == "infinity") return ExactNumber::infinity(false);
  if (text == "nan") return ExactNumber::nan();
  if (text.starts_with("0x")) return read_digits(text.substr(2), kHexadecimal, shown);
  return read_digits(text, kDecimal, shown);
}

Result<ExactNumber> read_fraction(std::string_view above, std::string_view below, const std::string& shown) {
  KERF_TRY(const ExactNumber numerator, read_magnitude(above, shown));
  KERF_TRY(const ExactNumber denominator, read_magnitude(below, shown));
  if (!numerator.is_finite() || !denominator.is_finite() || denominator.is_zero())
    return fail(ErrorKind::usage, {},
                fmt::format("«{}»: a fraction needs finite parts and no zero below", shown));
  return numerator / denominator;
}

// --- writing -----------------------------------------------------------------------------------------

/// The number 0.d1d2d3… · 10^point from its digits, without superfluous zeros.
std::string place_point(std::string digits, int point, bool negative) {
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  const int n = static_cast<int>(digits.size());
  const int exponent = point - 1;
  std::string out = negative ? "-" : "";
  if (exponent < kFirstPlain || exponent > kLastPlain)
    return out + digits[0] + (n > 1 ? "." + digits.substr(1) : "") + fmt::format("e{}", exponent);
  if (point <= 0) return out + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (point >= n) return out + digits + std::string(static_cast<std::size_t>(point - n), '0');
  const auto split = static_cast<std::size_t>(point);
  return out + digits.substr(0, split) + "." + digits.substr(split);
}

std::optional<std::string> without_digits(const ExactNumber& value) {
  if (value.is_nan()) return "nan";
  const std::string sign = value.negative ? "-" : "";
  if (value.is_infinite()) return sign + "inf";
  if (value.is_zero()) return sign + "0";
  return std::nullopt;
}

}  // namespace

Result<ExactNumber> parse_number(std::string_view text) {
  if (text.size() > kLongestText)
    return fail(ErrorKind::usage, {},
                fmt::format("a number of {} characters; at most {} are taken", text.size(), kLongestText));
  const std::string shown(text);
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view rest = lower;
  constexpr std::string_view kMinusSign = "\u2212";
  const bool negative = rest.starts_with('-') || rest.starts_with(kMinusSign);
  if (rest.starts_with(kMinusSign))
    rest.remove_prefix(kMinusSign.size());
  else if (rest.starts_with('-') || rest.starts_with('+'))
    rest.remove_prefix(1);
  const std::size_t slash = rest.find('/');
  KERF_TRY(ExactNumber value, slash == std::string_view::npos
                                  ? read_magnitude(rest, shown)
                                  : read_fraction(rest.substr(0, slash), rest.substr(slash + 1), shown));
  value.negative = negative && !value.is_nan();
  return value;
}

std::optional<std::string> exact_decimal(const ExactNumber& value) {
  if (auto plain = without_digits(value)) return plain;
  const ExactNumber x = value.reduced();
  // It ends if the denominator is 2^twos · 5^fives; then 10^places clears it.
  const std::size_t twos = x.denominator.trailing_zeros();
  Natural rest = x.denominator >> twos;
  std::size_t fives = 0;
  for (; rest != Natural{1}; ++fives) {
    auto [quotient, remainder] = rest.divide(5);
    if (!remainder.is_zero()) return std::nullopt;
    rest = std::move(quotient);
  }
  const std::size_t places = std::max(twos, fives);
  const Natural whole = (x.numerator * Natural::power(5, static_cast<std::uint32_t>(places - fives)))
                        << (places - twos);
  std::string digits = whole.decimal();
  return place_point(digits, static_cast<int>(digits.size()) - static_cast<int>(places), x.negative);
}

std::string short_decimal(const ExactNumber& value, int digits) {
  if (auto plain = without_digits(value)) return *plain;
  // The estimate of ⌊log10⌋ may be off by one; then there is one digit too many or too few, so look again.
  int exponent = static_cast<int>(std::floor(value.floor_log2() * std::numbers::ln2 / std::numbers::ln10));
  const auto scaled = [&](int power) {  // ⌊|x| · 10^power + ½⌋
    const Natural ten = Natural::power(10, static_cast<std::uint32_t>(std::abs(power)));
    const Natural above = power >= 0 ? value.numerator * ten : value.numerator;
    const Natural below = power >= 0 ? value.denominator : value.denominator * ten;
    return ((above << 1) + below).divide(below << 1).first.decimal();
  };
  std::string text = scaled(digits - 1 - exponent);
  while (static_cast<int>(text.size()) > digits) text = scaled(digits - 1 - ++exponent);
  return place_point(text, exponent + 1, value.negative);
}

}  // namespace kerf

#include "kerf/numbers/scalar_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "kerf/base/check.h"

namespace kerf {
namespace {

using Kind = ScalarFormat::Kind;

ScalarFormat make_float(std::string_view name, int sign, int exponent, int mantissa, Specials specials,
                        Overflow overflow, std::string_view aliases, std::string_view summary) {
  ScalarFormat format{std::string(name), Kind::floating,       sign + exponent + mantissa,
                      overflow,          std::string(summary), std::string(aliases)};
  format.sign_bits = sign;
  format.exponent_bits = exponent;
  format.mantissa_bits = mantissa;
  format.bias = (1 << (exponent - 1)) - 1;
  format.specials = specials;
  return format;
}

ScalarFormat make_power_of_two(std::string_view name, std::string_view aliases, std::string_view summary) {
  ScalarFormat format = make_float(name, 0, 8, 0, Specials::one_nan, Overflow::saturate, aliases, summary);
  format.kind = Kind::power_of_two;
  return format;
}

ScalarFormat make_integer(std::string_view name, int bits, int lowest, int highest, IntegerEncoding encoding,
                          std::string_view aliases, std::string_view summary) {
  ScalarFormat format{std::string(name),  Kind::fixed_point,    bits,
                      Overflow::saturate, std::string(summary), std::string(aliases)};
  format.lowest = lowest;
  format.highest = highest;
  format.encoding = encoding;
  return format;
}

constexpr std::uint64_t low_mask(int bits) {
  return bits >= 64 ? ~0ULL : (1ULL << bits) - 1;
}

std::uint64_t sign_mask(const ScalarFormat& format) {
  return format.sign_bits != 0 ? 1ULL << (format.bits - 1) : 0;
}

std::uint64_t magnitude_mask(const ScalarFormat& format) {
  return low_mask(format.exponent_bits + format.mantissa_bits);
}

/// Patterns above this magnitude are NaN; itself it is infinity or the largest number.
std::uint64_t largest_magnitude(const ScalarFormat& format) {
  const std::uint64_t all_ones = magnitude_mask(format);
  switch (format.specials) {
    case Specials::none:
      return all_ones;
    case Specials::one_nan:
      return all_ones - 1;
    case Specials::ieee:
      return all_ones - low_mask(format.mantissa_bits);
  }
  return 0;
}

std::uint64_t largest_finite_magnitude(const ScalarFormat& format) {
  return largest_magnitude(format) - (format.has_infinity() ? 1 : 0);
}

ExactNumber decode_magnitude(const ScalarFormat& format, bool negative, std::uint64_t magnitude) {
  const std::uint64_t mantissa = magnitude & low_mask(format.mantissa_bits);
  const auto biased = static_cast<int>(magnitude >> format.mantissa_bits);
  if (format.kind == Kind::power_of_two) return ExactNumber::dyadic(false, 1, biased - format.bias);
  const std::uint64_t hidden = biased == 0 ? 0 : 1ULL << format.mantissa_bits;
  return ExactNumber::dyadic(negative, hidden | mantissa,
                             std::max(biased, 1) - format.bias - format.mantissa_bits);
}

/// «-3.12» → (−3, 12).
std::optional<std::pair<int, int>> read_widths(std::string_view text) {
  int integer_bits = 0;
  int fraction_bits = 0;
  const char* end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, integer_bits);
  if (error != std::errc() || dot == end || *dot != '.') return std::nullopt;
  const auto [stop, error2] = std::from_chars(dot + 1, end, fraction_bits);
  if (error2 != std::errc() || stop != end) return std::nullopt;
  return std::pair(integer_bits, fraction_bits);
}

bool has_word(std::string_view words, std::string_view wanted) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == wanted) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace

std::uint64_t ScalarFormat::nan_bits() const noexcept {
  if (specials == Specials::one_nan) return magnitude_mask(*this);
  return largest_magnitude(*this) | 1ULL << (mantissa_bits - 1);
}

std::span<const ScalarFormat> all_scalar_formats() {
#define KERF_FLOAT(name, sign, exponent, mantissa, specials, overflow, aliases, summary) \
  make_float(#name, sign, exponent, mantissa, Specials::specials, Overflow::overflow, aliases, summary),
#define KERF_POWER_OF_TWO(name, aliases, summary) make_power_of_two(#name, aliases, summary),
#define KERF_INTEGER(name, bits, lowest, highest, encoding, aliases, summary) \
  make_integer(#name, bits, lowest, highest, IntegerEncoding::encoding, aliases, summary),
  static const ScalarFormat kFormats[] = {
#include "kerf/numbers/scalar_format.def"
  };
#undef KERF_FLOAT
#undef KERF_POWER_OF_TWO
#undef KERF_INTEGER
  return kFormats;
}

Result<ScalarFormat> fixed_point(int integer_bits, int fraction_bits, bool is_signed) {
  constexpr int kWidest = 64;
  const std::string name = fmt::format("{}Q{}.{}", is_signed ? "" : "U", integer_bits, fraction_bits);
  const std::int64_t bits = std::int64_t{integer_bits} + fraction_bits + (is_signed ? 1 : 0);
  if (bits < 1 || bits > kWidest || std::abs(std::int64_t{fraction_bits}) > 1024)
    return fail(ErrorKind::usage, name,
                fmt::format("is {} bits wide; fixed point takes 1 to {} bits in all{}", bits, kWidest,
                            is_signed ? ", the sign counted" : ""));
  ScalarFormat format{name, Kind::fixed_point, static_cast<int>(bits), Overflow::saturate,
                      fmt::format("{} fixed point, {} integer and {} fraction bits",
                                  is_signed ? "signed" : "unsigned", integer_bits, fraction_bits)};
  const Ordinal end = Ordinal{1} << (is_signed ? bits - 1 : bits);
  format.fraction_bits = fraction_bits;
  format.lowest = is_signed ? -end : Ordinal{0};
  format.highest = end - 1;
  format.encoding = is_signed ? IntegerEncoding::twos_complement : IntegerEncoding::natural;
  return format;
}

Result<std::vector<ScalarFormat>> find_scalar_formats(std::string_view name) {
  std::string plain;
  for (const char c : name)
    if (c != '_' && c != '-') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::vector<ScalarFormat> found;
  for (const ScalarFormat& format : all_scalar_formats())
    if (format.name == plain || has_word(format.aliases, plain)) found.push_back(format);
  if (!plain.empty() && !found.empty()) return found;

  const bool is_unsigned = !name.empty() && (name[0] == 'u' || name[0] == 'U');
  std::string_view widths = name.substr(is_unsigned ? 1 : 0);
  if (!widths.empty() && (widths[0] == 'q' || widths[0] == 'Q')) {
    if (const auto read = read_widths(widths.substr(1))) {
      KERF_TRY(ScalarFormat format, fixed_point(read->first, read->second, !is_unsigned));
      return std::vector{std::move(format)};
    }
  }
  std::string names;
  for (const ScalarFormat& format : all_scalar_formats()) names += format.name + ", ";
  return fail(ErrorKind::usage, {},
              fmt::format("there is no number format «{}»; there are {}and fixed point such as Q8.8 or UQ5.3",
                          name, names));
}

std::optional<Ordinal> ordinal_of(const ScalarFormat& format, std::uint64_t bits) {
  bits &= low_mask(format.bits);
  if (format.is_float()) {
    const std::uint64_t magnitude = bits & magnitude_mask(format);
    if (magnitude > largest_magnitude(format)) return std::nullopt;
    return (bits & sign_mask(format)) != 0 ? -static_cast<Ordinal>(magnitude)
                                           : static_cast<Ordinal>(magnitude);
  }
  Ordinal value = bits;
  if (format.encoding == IntegerEncoding::offset) value += format.lowest;
  const bool negative = format.encoding == IntegerEncoding::twos_complement && value > format.highest;
  if (negative) value -= Ordinal{1} << format.bits;
  if (value > format.highest) return std::nullopt;
  return value;
}

std::uint64_t bits_of_ordinal(const ScalarFormat& format, Ordinal ordinal) {
  if (format.is_float())
    return ordinal < 0 ? static_cast<std::uint64_t>(-ordinal) | sign_mask(format)
                       : static_cast<std::uint64_t>(ordinal);
  if (format.encoding == IntegerEncoding::offset) ordinal -= format.lowest;
  return static_cast<std::uint64_t>(ordinal) & low_mask(format.bits);
}

std::optional<ExactNumber> decode(const ScalarFormat& format, std::uint64_t bits) {
  const std::optional<Ordinal> ordinal = ordinal_of(format, bits);
  if (format.is_float()) {
    const bool negative = (bits & sign_mask(format)) != 0;
    if (!ordinal) return ExactNumber::nan();
    const std::uint64_t magnitude = bits & magnitude_mask(format);
    if (format.has_infinity() && magnitude == largest_magnitude(format))
      return ExactNumber::infinity(negative);
    return decode_magnitude(format, negative, magnitude);
  }
  if (!ordinal) return std::nullopt;
  const Ordinal value = format.encoding == IntegerEncoding::plus_minus_one ? 2 * *ordinal - 1 : *ordinal;
  return ExactNumber::dyadic(value < 0, static_cast<std::uint64_t>(value < 0 ? -value : value),
                             -format.fraction_bits);
}

Neighbours neighbours(const ScalarFormat& format, std::uint64_t bits) {
  const std::optional<Ordinal> ordinal = ordinal_of(format, bits);
  if (!ordinal) return {};
  Ordinal first = format.lowest;
  Ordinal last = format.highest;
  if (format.is_float()) {
    last = largest_magnitude(format);
    first = format.sign_bits != 0 ? -last : 0;
  }
  Neighbours out;
  if (*ordinal > first) out.below = bits_of_ordinal(format, *ordinal - 1);
  if (*ordinal < last) out.above = bits_of_ordinal(format, *ordinal + 1);
  return out;
}

std::uint64_t lowest_bits(const ScalarFormat& format) {
  if (!format.is_float()) return bits_of_ordinal(format, format.lowest);
  return format.sign_bits != 0 ? largest_finite_magnitude(format) | sign_mask(format) : 0;
}

std::uint64_t highest_bits(const ScalarFormat& format) {
  return format.is_float() ? largest_finite_magnitude(format) : bits_of_ordinal(format, format.highest);
}

}  // namespace kerf

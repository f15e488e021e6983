#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/cli/number_report.h"

namespace kerf::cli {
namespace {

// Terminal colours of the fields.
constexpr const char* kSignColour = "\033[31m";
constexpr const char* kExponentColour = "\033[32m";
constexpr const char* kMantissaColour = "\033[34m";
constexpr const char* kNoColour = "\033[0m";

std::string painted(const std::string& text, const char* colour, bool wanted) {
  return wanted && !text.empty() ? colour + text + kNoColour : text;
}

std::string bits_text(const ScalarFormat& format, std::uint64_t bits, bool colour) {
  BitFields fields = bit_fields(format, bits);
  fields.sign = painted(fields.sign, kSignColour, colour);
  fields.exponent = painted(fields.exponent, kExponentColour, colour);
  fields.mantissa = painted(fields.mantissa, kMantissaColour, colour);
  return joined(format, fields);
}

/// What is special about the conversion, for the table.
std::string note(const NumberReport& report) {
  const Encoded& encoded = report.encoded;
  if (!encoded.bits) return "has no NaN";
  switch (encoded.fate) {
    case Fate::saturated:
      return "saturated";
    case Fate::infinite:
    case Fate::nan:
      return report.error || report.value->is_nan() ? "" : "overflow";
    case Fate::wrapped:
      return "wrapped";
    case Fate::in_range:
      break;
  }
  std::string out;
  if (encoded.split && encoded.split->remainder() == Remainder::half) out = "tie";
  if (encoded.subnormal) out += out.empty() ? "subnormal" : ", subnormal";
  return out;
}

std::string error_text(const NumberReport& report) {
  if (!report.error) return "";
  return report.error->is_zero() ? "0" : short_decimal(*report.error, 4);
}

std::string relative_text(const NumberReport& report) {
  if (!report.relative || report.error->is_zero()) return "";
  return short_decimal(*report.relative, 3);
}

std::string spaces(std::size_t n) {
  return std::string(n, ' ');
}

std::string layout_text(const ScalarFormat& format) {
  if (format.kind == ScalarFormat::Kind::floating)
    return fmt::format("{} bits: {}{} exponent (bias {}), {} mantissa", format.bits,
                       format.sign_bits != 0 ? "1 sign, " : "", format.exponent_bits, format.bias,
                       format.mantissa_bits);
  if (format.kind == ScalarFormat::Kind::power_of_two)
    return fmt::format("{} bits: exponent (bias {})", format.bits, format.bias);
  if (format.fraction_bits == 0) return fmt::format("{} bit{}", format.bits, format.bits == 1 ? "" : "s");
  return fmt::format("{} bit{}: code / {}", format.bits, format.bits == 1 ? "" : "s",
                     power_of_two(format.fraction_bits));
}

/// «2⁻¹⁴ = 0.00006103515625», «2⁻¹²⁶ ≈ 1.17549435e-38».
std::string power_and_value(int exponent) {
  const std::string value = brief(ExactNumber::dyadic(false, 1, exponent));
  constexpr std::string_view kAbout = "≈";
  if (value.starts_with(kAbout))
    return fmt::format("{} ≈ {}", power_of_two(exponent), value.substr(kAbout.size()));
  return fmt::format("{} = {}", power_of_two(exponent), value);
}

std::string range_text(const ScalarFormat& format) {
  const ExactNumber least = *decode(format, lowest_bits(format));
  const ExactNumber greatest = *decode(format, highest_bits(format));
  std::string out = fmt::format("{} … {}", brief(least), brief(greatest));
  if (format.kind != ScalarFormat::Kind::floating) return out;
  const int normal = format.min_normal_exponent();
  out += fmt::format("; smallest normal {}, smallest {}", power_and_value(normal),
                     power_and_value(normal - format.mantissa_bits));
  if (!format.has_infinity()) out += format.has_nan() ? "; no infinity" : "; neither infinity nor NaN";
  return out;
}

/// The distance between neighbours where the value is.
std::string resolution_text(const NumberReport& report) {
  const ScalarFormat& format = report.format;
  if (format.kind == ScalarFormat::Kind::power_of_two) return "powers of two: each is twice the one before";
  if (format.kind == ScalarFormat::Kind::fixed_point) {
    const bool signs = format.encoding == IntegerEncoding::plus_minus_one;
    const int exponent = signs ? 1 : -format.fraction_bits;
    return fmt::format("{} everywhere{}", brief(ExactNumber::dyadic(false, 1, exponent)),
                       signs ? "" : ", an error of at most half of it in range");
  }
  std::string out = fmt::format("{} significant bits, a relative error of at most {} for normal numbers",
                                format.mantissa_bits + 1, power_of_two(-format.mantissa_bits - 1));
  if (!report.encoded.bits) return out;
  if (const auto exponent = exponents(format, *report.encoded.bits)) {
    out += fmt::format("; step here {}", power_and_value(exponent->actual - format.mantissa_bits));
  }
  return out;
}

std::string neighbour_text(const char* side, const std::optional<Neighbour>& neighbour,
                           const ScalarFormat& format) {
  if (!neighbour) return fmt::format("none {}", side);
  return fmt::format("{} {} ({})", side, brief(neighbour->value), hexadecimal(format, neighbour->bits));
}

std::string comes_back(const NumberReport& report) {
  if (!report.value) return report.encoded.bits ? "no number" : "nothing: no NaN";
  if (const auto exact = exact_decimal(*report.value)) return *exact;
  return brief(*report.value);
}

void add(std::string& out, std::string_view label, const std::string& text) {
  if (!text.empty()) out += fmt::format("  {:<11} {}\n", label, text);
}

void add_error(std::string& out, const NumberReport& report) {
  if (!report.error) return;
  if (report.error->is_zero()) return add(out, "error", "0, exact");
  const std::string relative =
      report.relative ? fmt::format(", relative {}", short_decimal(*report.relative, 6)) : "";
  add(out, "error", brief(*report.error, 40) + relative);
}

void add_exponent(std::string& out, const NumberReport& report) {
  const auto exponent = report.encoded.bits ? exponents(report.format, *report.encoded.bits) : std::nullopt;
  if (!exponent) return;
  const bool subnormal = exponent->biased == 0 && report.format.kind == ScalarFormat::Kind::floating;
  add(out, "exponent",
      subnormal ? fmt::format("biased 0 (zero and subnormals), true {}", exponent->actual)
                : fmt::format("biased {}, true {}", exponent->biased, exponent->actual));
}

/// The same bits without the sign, for those who write Qm.n without one.
void add_unsigned_reading(std::string& out, const NumberRequest& request, const ScalarFormat& format) {
  if (format.is_float() || format.name[0] != 'Q' || !request.x || request.x->negative) return;
  const auto other = find_scalar_formats("U" + format.name);
  if (!other) return;
  const NumberReport report = report_number(request, other->front());
  if (!report.encoded.bits) return;
  const BitFields fields = bit_fields(other->front(), *report.encoded.bits);
  add(out, "unsigned",
      fmt::format("{} {}{} = {}, range {}", other->front().name, fields.exponent, fields.mantissa,
                  comes_back(report), range_text(other->front())));
}

}  // namespace

std::string number_table(const std::vector<NumberReport>& reports, bool colour) {
  constexpr std::string_view kHead = "bits";
  std::size_t width = kHead.size();
  for (const NumberReport& report : reports)
    if (report.encoded.bits)
      width = std::max(width, joined(report.format, bit_fields(report.format, *report.encoded.bits)).size());
  std::string out = fmt::format("{:<8} {}{} {:<10} {:>16} {:>12} {:>10}\n", "format", kHead,
                                spaces(width - kHead.size()), "hex", "comes back", "error", "relative");
  for (const NumberReport& report : reports) {
    std::string bits = spaces(width);
    std::string hex;
    if (report.encoded.bits) {
      const auto shown = joined(report.format, bit_fields(report.format, *report.encoded.bits)).size();
      bits = bits_text(report.format, *report.encoded.bits, colour) + spaces(width - shown);
      hex = hexadecimal(report.format, *report.encoded.bits);
    }
    std::string line = fmt::format("{:<8} {} {:<10} {:>16} {:>12} {:>10}  {}", report.format.name, bits, hex,
                                   report.value ? brief(*report.value, 15) : "—", error_text(report),
                                   relative_text(report), note(report));
    while (line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  return out;
}

std::string number_details(const NumberRequest& request, const NumberReport& report, bool colour) {
  const ScalarFormat& format = report.format;
  std::string out = fmt::format("{}: {}; {}\n", format.name, format.summary, layout_text(format));
  if (report.encoded.bits)
    add(out, "bits",
        fmt::format("{}  {}", bits_text(format, *report.encoded.bits, colour),
                    hexadecimal(format, *report.encoded.bits)));
  add_exponent(out, report);
  add(out, request.x ? "comes back" : "value", comes_back(report));
  add_error(out, report);
  if (report.stored && !report.stored->is_nan())
    add(out, "neighbours",
        fmt::format("{}, {}", neighbour_text("below", report.below, format),
                    neighbour_text("above", report.above, format)));
  add(out, "range", range_text(format));
  add(out, "resolution", resolution_text(report));
  add_unsigned_reading(out, request, format);
  for (std::size_t i = 0; i < report.steps.size(); ++i)
    add(out, i == 0 ? "steps" : "", fmt::format("{}. {}", i + 1, report.steps[i]));
  return out;
}

}  // namespace kerf::cli

#include "kerf/cli/number_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace kerf::cli {
namespace {

std::string binary(std::uint64_t bits, int width) {
  std::string out;
  for (int i = width - 1; i >= 0; --i) out += (bits >> i & 1U) != 0 ? '1' : '0';
  return out;
}

ExactNumber times_scale(const NumberRequest& request, const ExactNumber& value) {
  return request.scale && value.is_finite() ? value * *request.scale : value;
}

std::optional<Neighbour> neighbour(const NumberRequest& request, const ScalarFormat& format,
                                   const std::optional<std::uint64_t>& bits) {
  if (!bits) return std::nullopt;
  return Neighbour{*bits, times_scale(request, *decode(format, *bits))};
}

}  // namespace

BitFields bit_fields(const ScalarFormat& format, std::uint64_t bits) {
  const std::string all = binary(bits, format.bits);
  if (format.is_float()) {
    const auto sign = static_cast<std::size_t>(format.sign_bits);
    const auto exponent = static_cast<std::size_t>(format.exponent_bits);
    return {all.substr(0, sign), all.substr(sign, exponent), all.substr(sign + exponent)};
  }
  const bool has_sign = format.encoding == IntegerEncoding::twos_complement && format.bits > 1;
  const std::size_t sign = has_sign ? 1 : 0;
  // The point may lie beyond either end; then there is none to show.
  const int before_point = format.bits - static_cast<int>(sign) - format.fraction_bits;
  if (format.fraction_bits <= 0 || before_point < 0) return {all.substr(0, sign), all.substr(sign), ""};
  return {all.substr(0, sign), all.substr(sign, static_cast<std::size_t>(before_point)),
          all.substr(sign + static_cast<std::size_t>(before_point))};
}

std::string joined(const ScalarFormat& format, const BitFields& fields) {
  std::string out = fields.sign;
  if (!out.empty() && !(fields.exponent + fields.mantissa).empty()) out += ' ';
  out += fields.exponent;
  if (!fields.mantissa.empty()) out += format.is_float() ? " " : ".";
  return out + fields.mantissa;
}

std::string hexadecimal(const ScalarFormat& format, std::uint64_t bits) {
  return fmt::format("0x{:0{}X}", bits, (format.bits + 3) / 4);
}

std::optional<ExponentPair> exponents(const ScalarFormat& format, std::uint64_t bits) {
  const auto value = decode(format, bits);
  if (!format.is_float() || !value || !value->is_finite()) return std::nullopt;
  const auto biased = static_cast<int>(bits >> format.mantissa_bits & ((1ULL << format.exponent_bits) - 1));
  const bool has_subnormals = format.kind == ScalarFormat::Kind::floating;
  return ExponentPair{biased, (has_subnormals ? std::max(biased, 1) : biased) - format.bias};
}

std::string brief(const ExactNumber& value, std::size_t longest) {
  const auto exact = exact_decimal(value);
  if (exact && exact->size() <= longest) return *exact;
  return "≈" + short_decimal(value, std::min<int>(9, static_cast<int>(longest) - 6));
}

std::string superscript(int number) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out;
  for (const char c : std::to_string(number)) out += c == '-' ? "⁻" : kDigits[c - '0'];
  return out;
}

std::string power_of_two(int exponent) {
  return "2" + superscript(exponent);
}

NumberReport report_number(const NumberRequest& request, const ScalarFormat& format) {
  NumberReport report{format, {}, {}, {}, {}, {}, {}, {}, {}};
  if (request.x) {
    const bool scaled = request.scale && request.x->is_finite();
    report.encoded = encode(format, scaled ? *request.x / *request.scale : *request.x, request.encode);
  } else {
    report.encoded.bits = request.pattern;
  }
  if (report.encoded.bits) {
    report.stored = decode(format, *report.encoded.bits);
    const Neighbours beside = neighbours(format, *report.encoded.bits);
    report.below = neighbour(request, format, beside.below);
    report.above = neighbour(request, format, beside.above);
  }
  if (report.stored) report.value = times_scale(request, *report.stored);
  if (request.x && request.x->is_finite() && report.value && report.value->is_finite()) {
    report.error = *report.value - *request.x;
    if (!request.x->is_zero()) report.relative = *report.error / request.x->magnitude();
  }
  report.steps = request.x ? explain_encoding(request, report) : explain_pattern(format, request.pattern);
  return report;
}

}  // namespace kerf::cli

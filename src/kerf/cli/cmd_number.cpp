// kerf number: one number in every scalar format, with the derivation.
#include <fmt/format.h>
#include <unistd.h>

#include "kerf/base/rng.h"
#include "kerf/cli/common.h"
#include "kerf/cli/number_report.h"

namespace kerf::cli {
namespace {

/// Wider formats are explained when asked for; their bits do not fit a table.
constexpr int kWidestOfTable = 32;

struct Options {
  std::string text, bits, scale;
  std::vector<std::string> formats;
  std::string rounding{name_of(RoundingMode::nearest_even)};
  std::string overflow = "format";
  std::uint64_t seed = 0;
};

Result<std::vector<ScalarFormat>> every_format() {
  std::vector<ScalarFormat> out;
  for (const ScalarFormat& format : all_scalar_formats())
    if (format.bits <= kWidestOfTable) out.push_back(format);
  KERF_TRY(ScalarFormat unsigned_fixed, fixed_point(5, 3, false));
  KERF_TRY(ScalarFormat signed_fixed, fixed_point(8, 8, true));
  out.push_back(std::move(unsigned_fixed));
  out.push_back(std::move(signed_fixed));
  return out;
}

Result<std::vector<ScalarFormat>> wanted_formats(const std::vector<std::string>& names) {
  std::vector<ScalarFormat> out;
  for (const std::string& name : names) {
    KERF_TRY(std::vector<ScalarFormat> found, name == "all" ? every_format() : find_scalar_formats(name));
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

struct Pattern {
  std::uint64_t bits;
  int width;  ///< as many as the digits can say
};

Result<Pattern> parse_pattern(const std::string& text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const bool binary = text.starts_with("0b") || text.starts_with("0B");
  const int digit_bits = hex ? 4 : 1;
  Pattern out{0, 0};
  for (std::size_t i = 2; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_' || c == ' ') continue;
    const char lower = static_cast<char>(c | 0x20);
    const int digit = c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
    if (digit >= 1 << digit_bits)
      return fail(ErrorKind::usage, "--bits", fmt::format("«{}» has a wrong digit", text));
    out.bits = out.bits << digit_bits | static_cast<std::uint64_t>(digit);
    out.width += digit_bits;
    if (out.width > 64) return fail(ErrorKind::usage, "--bits", "more than 64 bits");
  }
  if ((!hex && !binary) || out.width == 0)
    return fail(ErrorKind::usage, "--bits",
                fmt::format("«{}» is not of the kind 0x4E48 or 0b01001110", text));
  return out;
}

Result<EncodeOptions> encode_options(const Options& options) {
  EncodeOptions out;
  for (const NamedRounding& mode : all_rounding_modes())
    if (mode.name == options.rounding) out.rounding = mode.rounding;
  if (options.overflow == "saturate") out.overflow = Overflow::saturate;
  if (options.overflow == "infinity") out.overflow = Overflow::infinity;
  if (options.overflow == "nan") out.overflow = Overflow::nan;
  if (options.overflow == "wrap") out.overflow = Overflow::wrap;
  out.random = Rng(options.seed).next();
  return out;
}

Result<NumberRequest> make_request(const Options& options) {
  NumberRequest request;
  request.text = options.text;
  KERF_TRY(request.encode, encode_options(options));
  if (!options.scale.empty()) {
    KERF_TRY(request.scale, parse_number(options.scale));
    if (!request.scale->is_finite() || request.scale->is_zero() || request.scale->negative)
      return fail(ErrorKind::usage, "--scale", "must be a finite number above 0");
    request.scale_text = options.scale;
  }
  if (options.bits.empty()) {
    KERF_TRY(request.x, parse_number(options.text));
  } else {
    KERF_TRY(const Pattern pattern, parse_pattern(options.bits));
    request.pattern = pattern.bits;
  }
  return request;
}

/// The formats that a pattern may be of: those named, or all that are as wide as its digits.
Result<std::vector<ScalarFormat>> formats_of_pattern(const Options& options) {
  KERF_TRY(const Pattern pattern, parse_pattern(options.bits));
  if (options.formats.empty()) {
    KERF_TRY(std::vector<ScalarFormat> all, every_format());
    std::vector<ScalarFormat> out;
    for (ScalarFormat& format : all)
      if (format.bits == pattern.width) out.push_back(std::move(format));
    if (out.empty())
      return fail(ErrorKind::usage, "--bits",
                  fmt::format("no format of the list has {} bits; name one with --format", pattern.width));
    return out;
  }
  KERF_TRY(std::vector<ScalarFormat> formats, wanted_formats(options.formats));
  for (const ScalarFormat& format : formats)
    if (format.bits < 64 && pattern.bits >> format.bits != 0)
      return fail(ErrorKind::usage, "--bits",
                  fmt::format("{} does not fit the {} bits of {}", options.bits, format.bits, format.name));
  return formats;
}

nlohmann::json number_json(const std::optional<ExactNumber>& value) {
  if (!value) return nullptr;
  if (const auto exact = exact_decimal(*value)) return *exact;
  return short_decimal(*value, 17);
}

nlohmann::json neighbour_json(const ScalarFormat& format, const std::optional<Neighbour>& neighbour) {
  if (!neighbour) return nullptr;
  return {{"value", number_json(neighbour->value)}, {"hex", hexadecimal(format, neighbour->bits)}};
}

std::string_view name_of(Fate fate) {
  static constexpr std::string_view kNames[] = {"in range", "saturated", "infinity", "nan", "wrapped"};
  return kNames[static_cast<std::size_t>(fate)];
}

nlohmann::json as_json(const NumberRequest& request, const NumberReport& report) {
  const ScalarFormat& format = report.format;
  nlohmann::json out = {{"format", format.name},
                        {"width", format.bits},
                        {"lowest", number_json(decode(format, lowest_bits(format)))},
                        {"highest", number_json(decode(format, highest_bits(format)))},
                        {"value", number_json(report.value)},
                        {"value_number", report.value ? report.value->to_double() : NAN},
                        {"below", neighbour_json(format, report.below)},
                        {"above", neighbour_json(format, report.above)},
                        {"steps", report.steps}};
  if (report.encoded.bits) {
    const BitFields fields = bit_fields(format, *report.encoded.bits);
    out["hex"] = hexadecimal(format, *report.encoded.bits);
    out["bits"] = fields.sign + fields.exponent + fields.mantissa;
    out["fields"] = {fields.sign, fields.exponent, fields.mantissa};
    if (const auto exponent = exponents(format, *report.encoded.bits)) {
      out["biased_exponent"] = exponent->biased;
      out["exponent"] = exponent->actual;
    }
  }
  if (format.kind == ScalarFormat::Kind::floating) {
    const int normal = format.min_normal_exponent();
    out["smallest_normal"] = number_json(ExactNumber::dyadic(false, 1, normal));
    out["smallest"] = number_json(ExactNumber::dyadic(false, 1, normal - format.mantissa_bits));
  }
  if (request.x) {
    out["error"] = number_json(report.error);
    out["relative_error"] = report.relative ? report.relative->to_double() : NAN;
    out["exact"] = report.error && report.error->is_zero();
    out["tie"] = report.encoded.split && report.encoded.split->remainder() == Remainder::half;
    out["subnormal"] = report.encoded.subnormal;
    out["fate"] = report.encoded.bits ? name_of(report.encoded.fate) : "unrepresentable";
  }
  return out;
}

void print_text(const NumberRequest& request, const std::vector<NumberReport>& reports, bool everything) {
  const bool colour = colour_allowed(STDOUT_FILENO);
  if (reports.size() > 1) fmt::print("{}\n", number_table(reports, colour));
  bool first = true;
  for (const NumberReport& report : reports) {
    if (!everything && report.format.name != "fp32") continue;
    fmt::print("{}{}", first ? "" : "\n", number_details(request, report, colour));
    first = false;
  }
}

Result<void> explain(const Options& options, bool json) {
  if (options.text.empty() == options.bits.empty())
    return fail(ErrorKind::usage, {},
                options.text.empty() ? "which number? kerf number 25.125, or --bits 0x41C90000"
                                     : "give a number or --bits, not both");
  KERF_TRY(const NumberRequest request, make_request(options));
  KERF_TRY(const std::vector<ScalarFormat> formats, !options.bits.empty() ? formats_of_pattern(options)
                                                    : options.formats.empty()
                                                        ? every_format()
                                                        : wanted_formats(options.formats));
  std::vector<NumberReport> reports;
  for (const ScalarFormat& format : formats) reports.push_back(report_number(request, format));
  if (!json) {
    print_text(request, reports, !options.bits.empty() || !options.formats.empty());
    return {};
  }
  auto list = nlohmann::json::array();
  for (const NumberReport& report : reports) list.push_back(as_json(request, report));
  nlohmann::json out = {{"rounding", options.rounding}, {"overflow", options.overflow}, {"formats", list}};
  (request.x ? out["x"] : out["pattern"]) = request.x ? options.text : options.bits;
  if (request.scale) out["scale"] = options.scale;
  print_json(out);
  return {};
}

/// A negative number looks like an option to the parser, «-inf» and «-.5» among them; «--» would help, but
/// nobody thinks of it.
std::vector<std::string> take_negative_number(std::vector<std::string> arguments, std::string& text) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with('-') || !parse_number(arguments[i])) continue;
    if (i > 0 && arguments[i - 1] == "--scale") continue;
    text = arguments[i];
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  return arguments;
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_number, "kerf number 25.125 --format fp16,fp8,Q5.3");
  Options options;
  std::string negative;
  std::vector<std::string> roundings;
  for (const NamedRounding& mode : all_rounding_modes()) roundings.emplace_back(mode.name);
  CLI::App& app = invocation.app();
  app.add_option("X", options.text, "a number: 25.125, -1e-3, 0x1.8p3, 1/3, inf, nan; taken exactly");
  app.add_option("--bits", options.bits, "the other way: what a pattern stands for, 0x41C90000 or 0b0101");
  app.add_option(
         "-f,--format", options.formats,
         "formats to explain: fp32, bf16, e4m3, fp8, int4, ternary, all …, fixed point as Q8.8 (signed) "
         "or UQ5.3")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--rounding", options.rounding, "which neighbour is taken")->check(CLI::IsMember(roundings));
  app.add_option("--overflow", options.overflow,
                 "beyond the range: what the format does, or what is said here (infinity: NaN where there is "
                 "none, else saturate)")
      ->check(CLI::IsMember({"format", "saturate", "infinity", "nan", "wrap"}));
  app.add_option("--scale", options.scale, "store X / scale, and multiply what comes back: 0.025 or 3.2/127");
  app.add_option("--seed", options.seed, "of stochastic rounding");
  const std::vector<std::string> rest = take_negative_number(arguments, negative);
  return invocation.run(rest, [&]() -> Result<void> {
    if (!negative.empty() && !options.text.empty())
      return fail(ErrorKind::usage, {},
                  fmt::format("one number at a time, not {} and {}", negative, options.text));
    if (!negative.empty()) options.text = negative;
    return explain(options, invocation.common().json);
  });
}

}  // namespace

const Command cmd_number{"number", "explain one number in every scalar format, bit by bit", run};

}  // namespace kerf::cli

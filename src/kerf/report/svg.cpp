#include "kerf/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

namespace kerf::report {
namespace {

constexpr double kLargest =
    1e300;  // ends of axes are kept within ± this, so that differences do not overflow

/// Length of the well-formed UTF-8 sequence that `text` begins with, 0 if there is none (Unicode table 3-7).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t n = lead >= 0xC2 && lead <= 0xDF   ? 2
                        : (lead & 0xF0U) == 0xE0       ? 3
                        : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                       : 0;
  if (n == 0 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool beyond = lead == 0xF4 && byte(1) > 0x8F;
  const bool noncharacter = lead == 0xEF && byte(1) == 0xBF && byte(2) > 0xBD;  // U+FFFE, U+FFFF: not XML
  return overlong || surrogate || beyond || noncharacter ? 0 : n;
}

std::string superscript(int exponent) {
  static constexpr std::array<std::string_view, 10> kDigits = {"⁰", "¹", "²", "³", "⁴",
                                                               "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = exponent < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(exponent)))
    out += kDigits[static_cast<std::size_t>(digit - '0')];
  return out;
}

std::string without_trailing_zeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits;
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

std::string with_true_minus(const std::string& digits) {
  return digits.starts_with('-') ? "−" + digits.substr(1) : digits;
}

/// `x` with `decimals` digits after the point, as tick labels show it.
std::string fixed(double x, int decimals) {
  std::string digits = fmt::format("{:.{}f}", x, decimals);
  if (digits.find_first_not_of("-0.") == std::string::npos && digits.starts_with('-')) digits.erase(0, 1);
  return with_true_minus(digits);
}

/// The step of 1, 2 or 5 times a power of ten that is nearest to range / wanted on a logarithmic scale.
double round_step(double range, int wanted) {
  const double raw = range / std::max(wanted, 1);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  return power * (lead < std::sqrt(2.0) ? 1 : lead < std::sqrt(10.0) ? 2 : lead < std::sqrt(50.0) ? 5 : 10);
}

std::vector<Tick> linear_ticks(double lo, double hi, int wanted) {
  const double step = round_step(hi - lo, wanted);
  const int exponent = static_cast<int>(std::floor(std::log10(step) + 1e-9));
  const bool plain = exponent >= -4 && std::max(std::fabs(lo), std::fabs(hi)) < 1e6;
  std::vector<Tick> out;
  const double first = std::ceil(lo / step - 1e-9);
  for (double i = first; i * step <= hi + 1e-9 * step && out.size() < 100; ++i)
    out.push_back({i * step, plain ? fixed(i * step, std::max(0, -exponent)) : readable(i * step)});
  return out;
}

std::string decade_label(int factor, int exponent) {
  if (exponent >= -3 && exponent <= 4) return readable(factor * std::pow(10.0, exponent));
  return factor == 1 ? "10" + superscript(exponent) : fmt::format("{}×10{}", factor, superscript(exponent));
}

std::vector<Tick> decade_ticks(double lo, double hi, int wanted) {
  const int first = static_cast<int>(std::floor(std::log10(lo)));
  const int last = static_cast<int>(std::ceil(std::log10(hi)));
  const int stride = std::max(1, (last - first) / std::max(wanted, 1));
  const bool with_between = 3 * (last - first) <= wanted + 2;
  std::vector<Tick> out;
  for (int exponent = first; exponent <= last; exponent += stride)
    for (const int factor : {1, 2, 5}) {
      const double value = factor * std::pow(10.0, exponent);
      if ((factor == 1 || with_between) && value >= lo * (1 - 1e-9) && value <= hi * (1 + 1e-9))
        out.push_back({value, decade_label(factor, exponent)});
    }
  return out.size() < 2 ? linear_ticks(lo, hi, wanted) : out;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t n = sequence_length(text);
    const char c = text.front();
    if (n == 0 || (n == 1 && static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n')) {
      out += "\xEF\xBF\xBD";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(std::max<std::size_t>(n, 1));
  }
  return out;
}

std::string coordinate(double x) {
  const std::string digits = without_trailing_zeros(fmt::format("{:.2f}", x));
  return digits == "-0" ? "0" : digits;
}

std::string readable(double x, int digits) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "∞" : "−∞";
  if (x == 0) return "0";
  // Rounding first: 9999.7 with four digits has the exponent of 10000.
  const std::string scientific = fmt::format("{:.{}e}", x, std::max(digits, 1) - 1);
  const std::size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  if (exponent < -4 || exponent >= 7)
    return with_true_minus(without_trailing_zeros(scientific.substr(0, e))) + "×10" + superscript(exponent);
  return with_true_minus(
      without_trailing_zeros(fmt::format("{:.{}f}", x, std::max(0, digits - 1 - exponent))));
}

double text_width(std::string_view text) {
  double width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80) continue;  // the rest of a character that was counted at its first byte
    if (std::string_view("iljft.,:;'|!()[] ").find(c) != std::string_view::npos)
      width += 0.33;
    else if (c >= 'A' && c <= 'Z')
      width += 0.68;
    else if (c == 'm' || c == 'w' || c == '%')
      width += 0.86;
    else
      width += 0.57;
  }
  return width;
}

Axis Axis::linear(std::string label, double lo, double hi) {
  Axis axis;
  axis.label_ = std::move(label);
  if (!std::isfinite(lo) || !std::isfinite(hi)) return axis;
  if (lo > hi) std::swap(lo, hi);
  lo = std::max(lo, -kLargest);
  hi = std::min(hi, kLargest);
  // A range too small for the digits of a double has no ticks to offer.
  double magnitude = std::max(std::fabs(lo), std::fabs(hi));
  if (magnitude < 1 / kLargest) magnitude = 0;
  if (hi - lo <= 1e-9 * magnitude || magnitude == 0) {
    const double margin = magnitude > 0 ? 0.1 * magnitude : 1.0;
    lo -= margin;
    hi += margin;
  }
  axis.lo_ = lo;
  axis.hi_ = hi;
  return axis;
}

Axis Axis::logarithmic(std::string label, double lo, double hi) {
  Axis axis;
  axis.label_ = std::move(label);
  axis.logarithmic_ = true;
  if (!std::isfinite(lo) || !std::isfinite(hi) || (lo <= 0 && hi <= 0)) {
    axis.lo_ = 0.1;  // to 1
    return axis;
  }
  if (lo > hi) std::swap(lo, hi);
  if (lo <= 0) lo = hi * 1e-6;
  lo = std::max(lo, 1 / kLargest);
  hi = std::clamp(hi, lo, kLargest);
  if (hi <= lo * (1 + 1e-9)) {
    lo /= 2;
    hi *= 2;
  }
  axis.lo_ = lo;
  axis.hi_ = hi;
  return axis;
}

double Axis::place(double value) const noexcept {
  if (logarithmic_)
    return value > 0 ? (std::log(value) - std::log(lo_)) / (std::log(hi_) - std::log(lo_))
                     : -std::numeric_limits<double>::infinity();
  return (value - lo_) / (hi_ - lo_);
}

std::vector<Tick> Axis::ticks(int wanted) const {
  return logarithmic_ ? decade_ticks(lo_, hi_, wanted) : linear_ticks(lo_, hi_, wanted);
}

std::string_view class_of(Tone tone) noexcept {
  static constexpr std::array<std::string_view, kSeriesColours + 3> kNames = {
      "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "ink", "muted", "warn"};
  return kNames[static_cast<std::size_t>(tone)];
}

std::string_view style_sheet() noexcept {
  // The colours of the series keep a contrast of at least 3 : 1 to the paper and differ in lightness too, so
  // that they can be told apart without seeing colours; shapes carry the same distinction.
  return R"css(.kerf{--paper:#fff;--ink:#1d2430;--muted:#5d6878;--grid:#e4e8ee;--warn:#c62828;--bar:#8fa8c9;
--s0:#1f66b5;--s1:#c65d00;--s2:#16794c;--s3:#b3276b;--s4:#6b46c1;--s5:#0b8293;--s6:#8a5a22;--s7:#6c6c12}
@media(prefers-color-scheme:dark){.kerf{--paper:#14181f;--ink:#e6eaf0;--muted:#9aa5b5;--grid:#2b323d;
--warn:#ff7b72;--bar:#4c6487;--s0:#6cb0f5;--s1:#f5a35c;--s2:#63cf9b;--s3:#f28bb5;--s4:#b79cf7;--s5:#57cbdb;
--s6:#d6a877;--s7:#c9c95e}}
svg.kerf{background:var(--paper);color:var(--ink);font-family:system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;font-size:12px;font-variant-numeric:tabular-nums}
svg.kerf text{fill:currentColor}svg.kerf .title{font-size:15px;font-weight:600}
svg.kerf .strong{font-weight:600}svg.kerf .grid{stroke:var(--grid);stroke-width:1}svg.kerf .axis{stroke:var(--muted);stroke-width:1}
svg.kerf .halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
svg.kerf .line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg.kerf .mark{fill:currentColor;stroke:var(--paper);stroke-width:1.2}
svg.kerf .bar{fill:var(--bar)}svg.kerf .hit{fill:currentColor}
svg.kerf .level{stroke:currentColor;stroke-width:1.2}svg.kerf .leader{stroke:var(--muted);stroke-width:.7}
.s0{color:var(--s0)}.s1{color:var(--s1)}.s2{color:var(--s2)}.s3{color:var(--s3)}.s4{color:var(--s4)}
.s5{color:var(--s5)}.s6{color:var(--s6)}.s7{color:var(--s7)}.ink{color:var(--ink)}.muted{color:var(--muted)}
.warn{color:var(--warn)}
)css";
}

}  // namespace kerf::report

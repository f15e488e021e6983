// The small parts of charts: text that is safe in SVG and HTML, numbers as people read them, axes with round
// ticks, and the style sheet that makes one drawing fit light and dark pages. Knows nothing of models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kerf::report {

/// Text for SVG and HTML content and for quoted attributes: & < > " ' become entities; characters that XML
/// forbids and broken UTF-8 become U+FFFD.
[[nodiscard]] std::string escape(std::string_view text);

/// For coordinates: at most two decimals, no trailing zeros, never an exponent, no «-0». `x` is finite.
[[nodiscard]] std::string coordinate(double x);

/// For people: `digits` significant digits, a true minus sign, trailing zeros cut, «1.2×10⁻⁵» for what is
/// below 10⁻⁴ or from 10⁷ on; «∞», «−∞» and «NaN» by name.
[[nodiscard]] std::string readable(double x, int digits = 4);

/// Width of `text` in units of the font size, from the average widths of a sans-serif face: good to a tenth.
[[nodiscard]] double text_width(std::string_view text);

struct Tick {
  double value;
  std::string label;
};

/// One axis of a chart: a range and the way from values to places.
class Axis {
 public:
  /// Any range: exchanged ends are put in order, an empty range is widened around its value, and what is
  /// not finite becomes [0, 1].
  [[nodiscard]] static Axis linear(std::string label, double lo, double hi);
  /// Decades. An end that is not positive is replaced by a millionth of the other.
  [[nodiscard]] static Axis logarithmic(std::string label, double lo, double hi);

  [[nodiscard]] double lo() const noexcept { return lo_; }
  [[nodiscard]] double hi() const noexcept { return hi_; }
  [[nodiscard]] const std::string& label() const noexcept { return label_; }

  /// 0 at lo() and 1 at hi(); beyond them for values outside, −∞ for what a logarithm does not have.
  [[nodiscard]] double place(double value) const noexcept;

  /// About `wanted` round values within the range, ascending: steps of 1, 2 or 5 times a power of ten; on a
  /// logarithmic axis powers of ten, with 2 and 5 between if there are few, thinned if there are many.
  [[nodiscard]] std::vector<Tick> ticks(int wanted) const;

 private:
  std::string label_;
  double lo_ = 0;
  double hi_ = 1;
  bool logarithmic_ = false;
};

/// Number of categorical colours; a chart with more families repeats them with other shapes.
inline constexpr int kSeriesColours = 8;

/// Colours of marks, as classes of style_sheet().
enum class Tone : int {
  series = 0,  ///< series + i, i below kSeriesColours
  ink = kSeriesColours,
  muted,
  warning,
};
/// The colour of family number `i`, repeated after kSeriesColours.
[[nodiscard]] constexpr Tone series_tone(int i) noexcept {
  return static_cast<Tone>(i % kSeriesColours);
}
/// «s0» … «s7», «ink», «muted», «warn»: the class that gives its elements `color`; they draw with
/// currentColor.
[[nodiscard]] std::string_view class_of(Tone tone) noexcept;

/// CSS for everything under an element of class «kerf»: custom properties for light and, by
/// prefers-color-scheme, dark; the classes that charts use. The same text for a file and for a page.
[[nodiscard]] std::string_view style_sheet() noexcept;

}  // namespace kerf::report

// The figure that explains a quantization: how the numbers are spread, where the levels lie among them, and
// what lies beyond the ends.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kerf/report/plot.h"

namespace kerf::report {

/// Numbers counted in bins of equal width; bin i is [lo + i·width, lo + (i + 1)·width).
struct Histogram {
  double lo = 0;
  double width = 1;
  std::vector<std::uint64_t> counts;
  [[nodiscard]] double from(std::size_t bin) const noexcept { return lo + width * static_cast<double>(bin); }
};

/// Counts the finite ones of `values`. With n_bins 0 the width is that of Freedman and Diaconis (1981),
/// 2 · IQR / n^⅓, within 12 … 160 bins.
[[nodiscard]] Histogram histogram_of(std::span<const float> values, int n_bins = 0);

/// One level of the grid: what a code stands for.
struct GridLevel {
  double value;
  std::string name;  ///< «code 3»; may be empty
};

struct HistogramFigure {
  std::string title;
  std::string value_label = "value";
  std::span<const float> values;  ///< what is counted
  std::vector<GridLevel> levels;  ///< drawn as vertical lines; as short marks if there are many
  /// Numbers outside [clip_lo, clip_hi] are shaded and told in the legend; without them: outside the
  /// outermost levels by more than half the neighbouring step.
  std::optional<double> clip_lo, clip_hi;
  bool logarithmic = false;  ///< counts on a logarithmic axis, for long tails
  double width = 760;
  double height = 360;
};

/// The figure as SVG. No values or no levels are fine: then there are no bars or no lines.
[[nodiscard]] std::string histogram_with_levels(const HistogramFigure& figure, Surface surface);

}  // namespace kerf::report

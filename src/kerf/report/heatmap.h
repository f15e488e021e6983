// A grid of tinted cells: rows and columns by name, a number in each.
#pragma once

#include <string>
#include <vector>

#include "kerf/report/plot.h"

namespace kerf::report {

struct HeatmapFigure {
  std::string title;
  std::string legend;  ///< what the numbers are: «relative error, dB»
  std::vector<std::string> rows, columns;
  std::vector<double> values;  ///< [rows, columns]; NaN leaves a cell empty
  double lo = 0, hi = 1;       ///< values of the palest and the strongest tint
  double width = 760;          ///< as of PlotFrame; the height follows from the rows
};

/// The figure as SVG. Numbers that do not fit their cells are left to tooltips: each cell tells its row,
/// column and number to the mouse.
[[nodiscard]] std::string heatmap(const HeatmapFigure& figure, Surface surface);

}  // namespace kerf::report

// Plot: one chart as an SVG drawing: axes, grid, lines, points with labels, bars, levels, bands and a legend.
// The same drawing stands alone in a file or inline in a page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kerf/report/marks.h"
#include "kerf/report/svg.h"

namespace kerf::report {

/// Where the SVG goes: a file needs its own style sheet, a page has one for all its charts.
enum class Surface { file, page };

struct Point {
  double x;
  double y;
  std::string tooltip;     ///< shown when the mouse rests on the mark; may be empty
  std::string label;       ///< written beside the mark if a free place is found; may be empty
  bool important = false;  ///< its label is placed first, in stronger type, with a line to it if need be
};

/// One bar of a histogram.
struct Bar {
  double from;
  double to;
  double height;
  std::string tooltip;
};

struct PlotFrame {
  std::string title;
  std::string description;  ///< read aloud instead of the drawing; may be empty
  Axis x = Axis::linear("", 0, 1);
  Axis y = Axis::linear("", 0, 1);
  double width = 760;  ///< in pixels at scale 1; the drawing scales with its container
  double height = 420;
};

/// Collects marks in the order in which they are painted. Points that are not finite are left out; what
/// lies outside the axes is cut off. The sizes of texts do not depend on the width: draw a second, narrower
/// plot for small screens instead of shrinking a wide one.
class Plot {
 public:
  explicit Plot(PlotFrame frame) : frame_(std::move(frame)) {}

  /// A series with a non-empty `name` appears in the legend.
  Plot& line(std::vector<Point> points, Tone tone, std::string name, Stroke stroke = Stroke::solid);
  Plot& points(std::vector<Point> points, Tone tone, Shape shape, std::string name);
  Plot& bars(std::vector<Bar> bars, Tone tone, std::string name);
  /// A vertical line at `x` over the whole height.
  Plot& level(double x, Tone tone, std::string tooltip, Stroke stroke = Stroke::solid);
  /// A short mark at `x` that stands on the axis, for levels too many to draw over the bars.
  Plot& rug(double x, Tone tone, std::string tooltip);
  /// A shaded band from `from` to `to` over the whole height, with a text at its top.
  Plot& band(double from, double to, Tone tone, std::string text);
  /// An entry of the legend for marks that were added without a name.
  Plot& legend_entry(std::string name, Tone tone, Stroke stroke);

  [[nodiscard]] std::string svg(Surface surface) const;

 private:
  enum class Kind { line, points, bars, level, rug, band, legend_only };
  struct Series {
    Kind kind;
    Tone tone;
    std::string name;
    std::vector<Point> points;
    std::vector<Bar> bars;
    Shape shape = Shape::circle;
    Stroke stroke = Stroke::solid;
  };
  class Drawing;

  PlotFrame frame_;
  std::vector<Series> series_;
};

}  // namespace kerf::report

#include "kerf/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "kerf/report/labels.h"
#include "kerf/report/marks.h"

namespace kerf::report {
namespace {

constexpr double kFontPx = 12;
constexpr double kMarkRadius = 4.5;
constexpr double kTitleHeight = 26;
constexpr double kLegendRow = 20;
constexpr double kSwatch = 18;
constexpr double kMargin = 14;

/// `<title>` for a non-empty tooltip: browsers show it while the mouse rests on the element around it.
std::string tooltip_element(const std::string& tooltip) {
  return tooltip.empty() ? "" : "<title>" + escape(tooltip) + "</title>";
}

bool finite(const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

}  // namespace

/// Lays out one plot and writes it down, from the back to the front.
class Plot::Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot), frame_(plot.frame_) { lay_out(); }

  std::string write(Surface surface) && {
    open(surface);
    legend();
    grid();
    inside_area();
    axes();
    marks();
    labels();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }
  void text(double x, double y, std::string_view anchor, std::string_view classes, std::string_view content) {
    add("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", coordinate(x), coordinate(y),
        anchor, classes, escape(content));
  }

  double at_x(double value) const { return area_.left + frame_.x.place(value) * (area_.right - area_.left); }
  double at_y(double value) const {
    return area_.bottom - frame_.y.place(value) * (area_.bottom - area_.top);
  }
  bool visible(const Point& point) const {
    return finite(point) && at_x(point.x) >= area_.left - 0.5 && at_x(point.x) <= area_.right + 0.5 &&
           at_y(point.y) >= area_.top - 0.5 && at_y(point.y) <= area_.bottom + 0.5;
  }
  int x_ticks_wanted() const { return std::max(3, static_cast<int>(frame_.width / 95)); }
  int y_ticks_wanted() const { return std::max(3, static_cast<int>(frame_.height / 60)); }

  void lay_out();
  void place_legend();
  void open(Surface surface);
  void legend();
  void swatch(const Series& series, double x, double y);
  void grid();
  void axes();
  void inside_area();
  void draw_line(const Series& series);
  void draw_bars(const Series& series);
  void draw_level(const Series& series, double top);
  void draw_band(const Series& series);
  void marks();
  void labels();
  std::vector<Box> obstacles() const;

  const Plot& plot_;
  const PlotFrame& frame_;
  struct LegendPlace {
    const Series* series;
    double x, y;
  };
  std::vector<LegendPlace> legend_;
  Box area_{};
  std::string out_;
};

void Plot::Drawing::lay_out() {
  place_legend();
  const double legend_bottom =
      legend_.empty() ? (frame_.title.empty() ? 6 : kTitleHeight + 6) : legend_.back().y + kLegendRow - 6;
  double label_width = 0;
  for (const Tick& tick : frame_.y.ticks(y_ticks_wanted()))
    label_width = std::max(label_width, text_width(tick.label) * kFontPx);
  area_.left = kMargin + label_width + 8;
  area_.right = frame_.width - kMargin;
  area_.top = legend_bottom + (frame_.y.label().empty() ? 8 : 24);
  area_.bottom = frame_.height - (frame_.x.label().empty() ? 30 : 48);
}

void Plot::Drawing::place_legend() {
  double x = kMargin;
  double y = frame_.title.empty() ? 18 : kTitleHeight + 18;
  for (const Series& series : plot_.series_) {
    if (series.name.empty()) continue;
    const double width = kSwatch + 6 + text_width(series.name) * kFontPx + 16;
    if (x > kMargin && x + width > frame_.width - kMargin) {
      x = kMargin;
      y += kLegendRow;
    }
    legend_.push_back({&series, x, y});
    x += width;
  }
}

void Plot::Drawing::open(Surface surface) {
  add("<svg class=\"kerf\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" "
      "height=\"{h}\" role=\"img\" aria-label=\"{}\">\n",
      escape(frame_.description.empty() ? frame_.title : frame_.description),
      fmt::arg("w", coordinate(frame_.width)), fmt::arg("h", coordinate(frame_.height)));
  if (surface == Surface::file) add("<style>{}</style>\n", style_sheet());
  if (!frame_.title.empty()) text(kMargin, 22, "start", "title", frame_.title);
}

void Plot::Drawing::legend() {
  for (const LegendPlace& place : legend_) {
    swatch(*place.series, place.x, place.y);
    text(place.x + kSwatch + 6, place.y + 4, "start", "ink", place.series->name);
  }
}

void Plot::Drawing::swatch(const Series& series, double x, double y) {
  const std::string_view tone = class_of(series.tone);
  if (series.kind == Kind::points) {
    add("<path class=\"mark {}\" d=\"{}\"{}/>\n", tone,
        mark_path(series.shape, x + kSwatch / 2, y, kMarkRadius), style_of(series.shape));
  } else if (series.kind == Kind::bars || series.kind == Kind::band) {
    const bool band = series.kind == Kind::band;
    add("<rect class=\"{} {}\" x=\"{}\" y=\"{}\" width=\"14\" height=\"10\"{}/>\n",
        band || series.tone != Tone::muted ? "hit" : "bar", tone, coordinate(x + 2), coordinate(y - 5),
        band ? " opacity=\".16\"" : "");
  } else {
    add("<path class=\"line {}\" d=\"M{} {}h{}\"{}/>\n", tone, coordinate(x), coordinate(y),
        coordinate(kSwatch), dashes(series.stroke));
  }
}

void Plot::Drawing::grid() {
  for (const Tick& tick : frame_.y.ticks(y_ticks_wanted())) {
    const double y = at_y(tick.value);
    add("<path class=\"grid\" d=\"M{} {}H{}\"/>\n", coordinate(area_.left), coordinate(y),
        coordinate(area_.right));
    text(area_.left - 8, y + 4, "end", "muted", tick.label);
  }
}

void Plot::Drawing::axes() {
  add("<path class=\"axis\" d=\"M{} {}H{}\"/>\n", coordinate(area_.left), coordinate(area_.bottom),
      coordinate(area_.right));
  for (const Tick& tick : frame_.x.ticks(x_ticks_wanted())) {
    const double x = at_x(tick.value);
    add("<path class=\"axis\" d=\"M{} {}v5\"/>\n", coordinate(x), coordinate(area_.bottom));
    text(x, area_.bottom + 19, "middle", "muted", tick.label);
  }
  if (!frame_.x.label().empty())
    text((area_.left + area_.right) / 2, area_.bottom + 39, "middle", "ink", frame_.x.label());
  if (!frame_.y.label().empty()) text(kMargin, area_.top - 10, "start", "ink", frame_.y.label());
}

/// What is cut off at the edges of the area: an inner <svg> does that without needing a unique name.
void Plot::Drawing::inside_area() {
  const std::string x = coordinate(area_.left), y = coordinate(area_.top);
  const std::string w = coordinate(area_.right - area_.left), h = coordinate(area_.bottom - area_.top);
  add("<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">\n", x, y, w, h);
  for (const Kind kind : {Kind::band, Kind::bars, Kind::level, Kind::rug, Kind::line})
    for (const Series& series : plot_.series_) {
      if (series.kind != kind) continue;
      if (kind == Kind::band) draw_band(series);
      if (kind == Kind::bars) draw_bars(series);
      if (kind == Kind::level) draw_level(series, area_.top);
      if (kind == Kind::rug) draw_level(series, area_.bottom - 10);
      if (kind == Kind::line) draw_line(series);
    }
  out_ += "</svg>\n";
}

void Plot::Drawing::draw_line(const Series& series) {
  std::string path;
  bool pen_down = false;
  for (const Point& point : series.points) {
    if (!finite(point) || !std::isfinite(at_x(point.x)) || !std::isfinite(at_y(point.y))) {
      pen_down = false;
      continue;
    }
    path +=
        fmt::format("{}{} {}", pen_down ? "L" : "M", coordinate(at_x(point.x)), coordinate(at_y(point.y)));
    pen_down = true;
  }
  if (!path.empty())
    add("<path class=\"line {}\" d=\"{}\"{}>{}</path>\n", class_of(series.tone), path, dashes(series.stroke),
        tooltip_element(series.name));
}

void Plot::Drawing::draw_bars(const Series& series) {
  // The style sheet's quiet bar colour stands for muted bars; others take their tone.
  const std::string_view kind = series.tone == Tone::muted ? "bar" : "hit";
  for (const Bar& bar : series.bars) {
    const double left = std::clamp(at_x(bar.from), area_.left, area_.right);
    const double right = std::clamp(at_x(bar.to), area_.left, area_.right);
    const double top = std::clamp(at_y(bar.height), area_.top, area_.bottom);
    if (!(right > left) || !(top < area_.bottom)) continue;
    const double gap = right - left > 4 ? 1 : 0;
    add("<rect class=\"{} {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">{}</rect>\n", kind,
        class_of(series.tone), coordinate(left), coordinate(top), coordinate(right - left - gap),
        coordinate(area_.bottom - top), tooltip_element(bar.tooltip));
  }
}

void Plot::Drawing::draw_level(const Series& series, double top) {
  for (const Point& point : series.points) {
    if (!std::isfinite(point.x)) continue;
    const std::string x = coordinate(at_x(point.x)), y = coordinate(top);
    // The invisible wide stroke is what the mouse can hit.
    add("<g class=\"{}\">{}<path class=\"level\" d=\"M{x} {y}V{b}\"{}/><path stroke=\"transparent\" "
        "stroke-width=\"7\" d=\"M{x} {y}V{b}\"/></g>\n",
        class_of(series.tone), tooltip_element(point.tooltip), dashes(series.stroke), fmt::arg("x", x),
        fmt::arg("y", y), fmt::arg("b", coordinate(area_.bottom)));
  }
}

void Plot::Drawing::draw_band(const Series& series) {
  for (const Bar& bar : series.bars) {
    const double left = std::clamp(at_x(bar.from), area_.left, area_.right);
    const double right = std::clamp(at_x(bar.to), area_.left, area_.right);
    if (!(right > left)) continue;
    add("<rect class=\"hit {}\" opacity=\".12\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">{}</rect>\n",
        class_of(series.tone), coordinate(left), coordinate(area_.top), coordinate(right - left),
        coordinate(area_.bottom - area_.top), tooltip_element(bar.tooltip));
  }
}

void Plot::Drawing::marks() {
  for (const Series& series : plot_.series_) {
    if (series.kind != Kind::points) continue;
    for (const Point& point : series.points)
      if (visible(point))
        add("<path class=\"mark {}\" d=\"{}\"{}>{}</path>\n", class_of(series.tone),
            mark_path(series.shape, at_x(point.x), at_y(point.y), kMarkRadius), style_of(series.shape),
            tooltip_element(point.tooltip));
  }
}

std::vector<Box> Plot::Drawing::obstacles() const {
  std::vector<Box> out;
  const auto around = [&](double x, double y, double r) { out.push_back({x - r, y - r, x + r, y + r}); };
  for (const Series& series : plot_.series_) {
    if (series.kind == Kind::points)
      for (const Point& point : series.points)
        if (visible(point) && series.shape != Shape::dot)
          around(at_x(point.x), at_y(point.y), kMarkRadius + 1);
    if (series.kind != Kind::line) continue;
    // A line is a chain of small boxes.
    for (std::size_t i = 1; i < series.points.size(); ++i) {
      const Point &a = series.points[i - 1], &b = series.points[i];
      if (!visible(a) && !visible(b)) continue;
      const double dx = at_x(b.x) - at_x(a.x), dy = at_y(b.y) - at_y(a.y);
      if (!std::isfinite(dx) || !std::isfinite(dy)) continue;
      const int n = std::clamp(static_cast<int>(std::hypot(dx, dy) / 5), 1, 1000);
      for (int k = 0; k <= n; ++k) around(at_x(a.x) + dx * k / n, at_y(a.y) + dy * k / n, 2.5);
    }
  }
  return out;
}

void Plot::Drawing::labels() {
  struct Entry {
    const Point* point;
    Tone tone;
  };
  std::vector<Entry> entries;
  for (const Series& series : plot_.series_)
    for (const Point& point : series.points)
      if (!point.label.empty() && visible(point)) entries.push_back({&point, series.tone});
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.point->important > b.point->important; });
  std::vector<LabelWish> wishes;
  for (const auto& [point, tone] : entries)
    wishes.push_back({at_x(point->x), at_y(point->y),
                      text_width(point->label) * kFontPx * (point->important ? 1.06 : 1), point->important});
  const auto places = place_labels(wishes, obstacles(), area_, kFontPx);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!places[i]) continue;
    const LabelPlace& place = *places[i];
    if (place.leader)
      add("<path class=\"leader\" d=\"M{} {}L{} {}\"/>\n", coordinate(wishes[i].x), coordinate(wishes[i].y),
          coordinate(std::clamp(wishes[i].x, place.box.left, place.box.right)),
          coordinate(std::clamp(wishes[i].y, place.box.top, place.box.bottom)));
    text(place.left, place.baseline, "start",
         fmt::format("halo {}{}", class_of(entries[i].tone), entries[i].point->important ? " strong" : ""),
         entries[i].point->label);
  }
}

Plot& Plot::line(std::vector<Point> points, Tone tone, std::string name, Stroke stroke) {
  series_.push_back({Kind::line, tone, std::move(name), std::move(points), {}, Shape::circle, stroke});
  return *this;
}

Plot& Plot::points(std::vector<Point> points, Tone tone, Shape shape, std::string name) {
  series_.push_back({Kind::points, tone, std::move(name), std::move(points), {}, shape, Stroke::solid});
  return *this;
}

Plot& Plot::bars(std::vector<Bar> bars, Tone tone, std::string name) {
  series_.push_back({Kind::bars, tone, std::move(name), {}, std::move(bars), Shape::circle, Stroke::solid});
  return *this;
}

Plot& Plot::level(double x, Tone tone, std::string tooltip, Stroke stroke) {
  series_.push_back(
      {Kind::level, tone, "", {{x, 0, std::move(tooltip), "", false}}, {}, Shape::circle, stroke});
  return *this;
}

Plot& Plot::rug(double x, Tone tone, std::string tooltip) {
  series_.push_back(
      {Kind::rug, tone, "", {{x, 0, std::move(tooltip), "", false}}, {}, Shape::circle, Stroke::solid});
  return *this;
}

Plot& Plot::band(double from, double to, Tone tone, std::string text) {
  series_.push_back(
      {Kind::band, tone, "", {}, {{from, to, 0, std::move(text)}}, Shape::circle, Stroke::solid});
  return *this;
}

Plot& Plot::legend_entry(std::string name, Tone tone, Stroke stroke) {
  series_.push_back({Kind::legend_only, tone, std::move(name), {}, {}, Shape::circle, stroke});
  return *this;
}

std::string Plot::svg(Surface surface) const {
  return Drawing(*this).write(surface);
}

}  // namespace kerf::report

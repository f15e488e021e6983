#include "kerf/report/heatmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kerf::report {
namespace {

constexpr double kFontPx = 12;
constexpr double kCellFontPx = 10;
constexpr double kCellHeight = 22;
constexpr double kTop = 78;  // title, legend, names of columns
constexpr double kPalest = 0.06;

class Drawing {
 public:
  explicit Drawing(const HeatmapFigure& figure) : figure_(figure) {
    for (const std::string& row : figure.rows)
      left_ = std::max(left_, 16 + std::min(text_width(row) * kFontPx, figure.width / 3));
    cell_ = (figure.width - left_ - 8) / std::max(1.0, static_cast<double>(figure.columns.size()));
  }

  std::string write(Surface surface) && {
    const double height = kTop + kCellHeight * static_cast<double>(figure_.rows.size()) + 10;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"kerf\" viewBox=\"0 0 {} {}\" role=\"img\" "
        "aria-label=\"{}\">\n{}",
        coordinate(figure_.width), coordinate(height), escape(figure_.title),
        surface == Surface::file ? "<style>" + std::string(style_sheet()) + "</style>\n" : "");
    text(8, 20, "start", "title", figure_.title);
    legend();
    names();
    for (std::size_t row = 0; row < figure_.rows.size(); ++row)
      for (std::size_t column = 0; column < figure_.columns.size(); ++column) cell(row, column);
    return out_ + "</svg>\n";
  }

 private:
  void text(double x, double y, std::string_view anchor, std::string_view classes, std::string_view content) {
    out_ += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", coordinate(x),
                        coordinate(y), anchor, classes, escape(content));
  }
  void rectangle(double x, double y, double width, double height, double strength,
                 const std::string& inside) {
    out_ += fmt::format(
        "<rect class=\"hit s0\" opacity=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">{}</rect>\n",
        coordinate(strength), coordinate(x), coordinate(y), coordinate(width), coordinate(height), inside);
  }
  [[nodiscard]] double strength_of(double value) const {
    const double place = figure_.hi > figure_.lo ? (value - figure_.lo) / (figure_.hi - figure_.lo) : 0.5;
    // Strong tints stop where text over them would be hard to read.
    return kPalest + (0.62 - kPalest) * std::clamp(place, 0.0, 1.0);
  }
  [[nodiscard]] double top_of(std::size_t row) const { return kTop + kCellHeight * static_cast<double>(row); }
  [[nodiscard]] double left_of(std::size_t column) const {
    return left_ + cell_ * static_cast<double>(column);
  }

  void legend() {
    constexpr int kSteps = 5;
    constexpr double kWidth = 18;
    const std::string lo = readable(figure_.lo, 3), hi = readable(figure_.hi, 3);
    double x = 8;
    text(x, 42, "start", "", lo);
    x += text_width(lo) * kFontPx + 8;
    for (int i = 0; i < kSteps; ++i, x += kWidth)
      rectangle(x, 32, kWidth, 12, strength_of(figure_.lo + (figure_.hi - figure_.lo) * i / (kSteps - 1)),
                "");
    text(x + 6, 42, "start", "", hi + "  " + figure_.legend);
  }

  /// Names of columns that are wider than a cell take turns in two lines; more would need a turned head.
  void names() {
    for (std::size_t row = 0; row < figure_.rows.size(); ++row)
      text(left_ - 6, top_of(row) + 15, "end", "", figure_.rows[row]);
    double widest = 1;
    for (const std::string& name : figure_.columns) widest = std::max(widest, text_width(name) * kFontPx + 4);
    const bool turns = widest > cell_;
    const auto stride = static_cast<std::size_t>(std::max(1.0, std::ceil(widest / (2 * cell_))));
    for (std::size_t i = 0; i < figure_.columns.size(); i += stride) {
      const bool upper = turns && i / stride % 2 == 1;
      // The last name may be wider than what is left of the drawing.
      const double half = text_width(figure_.columns[i]) * kFontPx / 2;
      const double middle = std::min(left_of(i) + cell_ / 2, figure_.width - 4 - half);
      text(middle, kTop - (upper ? 19 : 5), "middle", "", figure_.columns[i]);
    }
  }

  void cell(std::size_t row, std::size_t column) {
    const double value = figure_.values[row * figure_.columns.size() + column];
    if (std::isnan(value)) return;
    const std::string number = readable(value, 3);
    rectangle(
        left_of(column), top_of(row), std::max(cell_ - 1, 1.0), kCellHeight - 1, strength_of(value),
        "<title>" + escape(figure_.rows[row] + " " + figure_.columns[column] + ": " + number) + "</title>");
    if (text_width(number) * kCellFontPx + 2 <= cell_)
      out_ += fmt::format(
          "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"{}\" "
          "pointer-events=\"none\">{}</text>\n",
          coordinate(left_of(column) + cell_ / 2), coordinate(top_of(row) + 15), coordinate(kCellFontPx),
          escape(number));
  }

  const HeatmapFigure& figure_;
  double left_ = 40;
  double cell_ = 1;
  std::string out_;
};

}  // namespace

std::string heatmap(const HeatmapFigure& figure, Surface surface) {
  return Drawing(figure).write(surface);
}

}  // namespace kerf::report

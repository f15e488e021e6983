#include "kerf/report/marks.h"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

#include "kerf/report/svg.h"

namespace kerf::report {

std::string mark_path(Shape shape, double x, double y, double r) {
  const auto path = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string out;
    for (const auto& [dx, dy] : corners)
      out += fmt::format("{}{} {}", out.empty() ? "M" : "L", coordinate(x + dx * r), coordinate(y + dy * r));
    return out + "Z";
  };
  constexpr double a = 0.38;  // half the thickness of the arms of a cross
  switch (shape) {
    case Shape::square:
      return path({{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}});
    case Shape::diamond:
      return path({{0, -1.25}, {1.25, 0}, {0, 1.25}, {-1.25, 0}});
    case Shape::triangle:
      return path({{0, -1.2}, {1.15, .85}, {-1.15, .85}});
    case Shape::triangle_down:
      return path({{0, 1.2}, {1.15, -.85}, {-1.15, -.85}});
    case Shape::plus:
      return path({{-a, -1.2},
                   {a, -1.2},
                   {a, -a},
                   {1.2, -a},
                   {1.2, a},
                   {a, a},
                   {a, 1.2},
                   {-a, 1.2},
                   {-a, a},
                   {-1.2, a},
                   {-1.2, -a},
                   {-a, -a}});
    case Shape::cross:
      return path({{0, -.54},
                   {.66, -1.2},
                   {1.2, -.66},
                   {.54, 0},
                   {1.2, .66},
                   {.66, 1.2},
                   {0, .54},
                   {-.66, 1.2},
                   {-1.2, .66},
                   {-.54, 0},
                   {-1.2, -.66},
                   {-.66, -1.2}});
    case Shape::circle:
    case Shape::ring:
      break;
    case Shape::dot:
      r *= 0.45;
      break;
  }
  return fmt::format("M{} {}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z", coordinate(x - r), coordinate(y),
                     fmt::arg("r", coordinate(r)), fmt::arg("d", coordinate(2 * r)));
}

std::string_view style_of(Shape shape) {
  return shape == Shape::ring  ? " style=\"fill:none;stroke:currentColor;stroke-width:2\""
         : shape == Shape::dot ? " style=\"stroke:none;opacity:.45\""
                               : "";
}

std::string_view dashes(Stroke stroke) {
  return stroke == Stroke::solid    ? ""
         : stroke == Stroke::dashed ? " stroke-dasharray=\"6 4\""
                                    : " stroke-dasharray=\"1.5 4\"";
}

}  // namespace kerf::report

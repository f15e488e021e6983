// The outlines of marks and the strokes of lines.
#pragma once

#include <string>
#include <string_view>

namespace kerf::report {

enum class Shape { circle, square, diamond, triangle, triangle_down, cross, plus, ring, dot };
/// Those that tell series apart; a dot is small and faint, for what is only the background of the others.
inline constexpr int kShapes = 8;

enum class Stroke { solid, dashed, dotted };

/// Path data of a mark around (x, y), `r` in pixels.
[[nodiscard]] std::string mark_path(Shape shape, double x, double y, double r);
/// Attributes that a shape needs besides its path, with a blank in front.
[[nodiscard]] std::string_view style_of(Shape shape);
/// The attribute that dashes a line, with a blank in front.
[[nodiscard]] std::string_view dashes(Stroke stroke);

}  // namespace kerf::report

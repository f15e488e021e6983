#include "kerf/report/labels.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace kerf::report {
namespace {

/// From the mark to the nearest point of the label's box, in pixels; the direction is the vector.
struct Offset {
  double dx, dy;
};

// Right first: it reads as «mark, name». Then left, the corners, above, below.
constexpr std::array<Offset, 8> kDirections = {
    {{1, 0}, {-1, 0}, {0.75, -0.75}, {-0.75, -0.75}, {0.75, 0.75}, {-0.75, 0.75}, {0, -1}, {0, 1}}};
constexpr double kBeside = 7;
constexpr std::array<double, 5> kFar = {18, 30, 44, 60, 80};

/// The box of a text whose nearest side or corner lies `distance` from the mark in direction `d`.
Box box_at(const LabelWish& wish, Offset d, double distance, double font_px) {
  const double x = wish.x + d.dx * distance;
  const double y = wish.y + d.dy * distance;
  const double left = d.dx > 0.1 ? x : d.dx < -0.1 ? x - wish.width : x - wish.width / 2;
  const double top = d.dy > 0.1 ? y : d.dy < -0.1 ? y - font_px : y - font_px / 2;
  return {left, top, left + wish.width, top + font_px};
}

bool inside(const Box& box, const Box& frame) {
  return box.left >= frame.left && box.right <= frame.right && box.top >= frame.top &&
         box.bottom <= frame.bottom;
}

bool free_of(const Box& box, const std::vector<Box>& obstacles) {
  return std::none_of(obstacles.begin(), obstacles.end(),
                      [&](const Box& other) { return box.overlaps(other); });
}

LabelPlace at(const Box& box, bool leader, double font_px) {
  return {box.left, box.top + 0.8 * font_px, leader, box};
}

std::optional<LabelPlace> find_place(const LabelWish& wish, const std::vector<Box>& obstacles,
                                     const Box& frame, double font_px) {
  for (const Offset& direction : kDirections) {
    const Box box = box_at(wish, direction, kBeside, font_px);
    if (inside(box, frame) && free_of(box, obstacles)) return at(box, false, font_px);
  }
  if (!wish.may_be_far) return std::nullopt;
  for (const double distance : kFar)
    for (const Offset& direction : kDirections) {
      const Box box = box_at(wish, direction, distance, font_px);
      if (inside(box, frame) && free_of(box, obstacles)) return at(box, true, font_px);
    }
  return std::nullopt;
}

}  // namespace

std::vector<std::optional<LabelPlace>> place_labels(const std::vector<LabelWish>& wishes,
                                                    std::vector<Box> obstacles, const Box& frame,
                                                    double font_px) {
  std::vector<std::optional<LabelPlace>> out;
  for (const LabelWish& wish : wishes) {
    out.push_back(find_place(wish, obstacles, frame, font_px));
    if (out.back()) obstacles.push_back(out.back()->box);
  }
  return out;
}

}  // namespace kerf::report

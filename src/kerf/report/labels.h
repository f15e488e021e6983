// Where the labels of points go, so that none covers another or a mark.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kerf::report {

struct Box {
  double left, top, right, bottom;
  [[nodiscard]] bool overlaps(const Box& other) const noexcept {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// A label that wants to stand beside the mark at (x, y), in pixels.
struct LabelWish {
  double x, y;
  double width;     ///< of the text
  bool may_be_far;  ///< if nothing is free beside the mark, a place further off and a line to it will do
};

/// `left` is where the text begins, `baseline` its base line.
struct LabelPlace {
  double left, baseline;
  bool leader;  ///< far enough from the mark to need a line
  Box box;
};

/// Places in the order of `wishes`; nothing where no place within `frame` is free of `obstacles` and of the
/// labels placed before. Deterministic.
[[nodiscard]] std::vector<std::optional<LabelPlace>> place_labels(const std::vector<LabelWish>& wishes,
                                                                  std::vector<Box> obstacles,
                                                                  const Box& frame, double font_px);

}  // namespace kerf::report

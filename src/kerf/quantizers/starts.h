// Where searches begin: grids relative to the range of the numbers of a group. How many depends on what the
// caller is willing to spend and on how much a good start is worth to the format.
#pragma once

#include <cstddef>

#include "kerf/quantizers/levels.h"

namespace kerf {

inline constexpr int kMostEffort = 3;

class Starts {
 public:
  static constexpr std::size_t kMax = 112;

  /// Numbers that differ in importance have their best grid farther from the range than others.
  Starts(const Grid& grid, const Levels& levels, int effort, bool weighted) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return n_; }
  /// Without offset: the (fractional) level onto which the number of largest magnitude is mapped.
  [[nodiscard]] float target(std::size_t i) const noexcept { return high_[i]; }
  /// With offset: how far, in levels, the range of the numbers reaches below the lowest and above the
  /// highest.
  [[nodiscard]] float below(std::size_t i) const noexcept { return low_[i]; }
  [[nodiscard]] float above(std::size_t i) const noexcept { return high_[i]; }

  /// How often the best grid is fitted to the levels that it assigns itself (Lloyd 1957).
  [[nodiscard]] std::size_t n_polish() const noexcept { return n_polish_; }
  /// Without offset: no start sends a number half a level or more below the lowest.
  [[nodiscard]] bool stay_above() const noexcept { return stay_above_; }
  /// With offset: nor above the highest.
  [[nodiscard]] bool stay_inside() const noexcept { return stay_inside_; }

 private:
  void add(float low, float high) noexcept;
  void add_ranges(float least, float most, float step) noexcept;
  void plan_ranges(const Grid& grid, int effort, bool weighted) noexcept;
  void plan_extremes(const Grid& grid, const Levels& levels, int effort) noexcept;

  std::size_t n_ = 0;
  std::size_t n_polish_ = 0;
  bool stay_above_ = false;
  bool stay_inside_ = false;
  float low_[kMax];
  float high_[kMax];
};

}  // namespace kerf

// The nearest points of a codebook under weights, exactly, for eight targets at once.
//
// A weighted squared error is a sum over coordinates, and coordinates have few distinct values (levels). So
// the cost of every possible first half of a point and of every possible second half comes from small tables.
// Points are listed by their first half, and a list is skipped when its first half together with the
// cheapest second half costs each target more than what it has found already.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kerf/formats/vector_grid.h"
#include "kerf/quantizers/lanes.h"

namespace kerf {

/// of[k][i] is what level k costs as number i of a cell, for each of eight targets.
struct LevelCosts {
  Lanes of[VectorGrid::kMaxLevels][VectorGrid::kCell];
};

struct FoundPoints {
  Lanes cost;
  std::uint16_t index[kLanes];
};

class PointSearch {
 public:
  /// Points [n, width] given as levels below n_levels; indices[n] are what nearest() returns. At most 4
  /// levels for points of 8 coordinates.
  PointSearch(std::uint32_t width, std::uint32_t n_levels, std::span<const std::uint8_t> levels,
              std::span<const std::uint16_t> indices);

  [[nodiscard]] bool empty() const noexcept { return index_.empty(); }
  /// Levels that costs must be given for. Those that no point has cost much, but not infinitely.
  [[nodiscard]] std::uint32_t table_levels() const noexcept { return n_levels_; }

  /// The point of least cost for each target; its coordinates are numbers first … first + width − 1.
  void nearest(const LevelCosts& costs, std::size_t first, FoundPoints& found) const noexcept;

 private:
  template <std::size_t kLevels, std::size_t kWidth>
  void search(const LevelCosts& costs, std::size_t first, FoundPoints& found) const noexcept;
  void search_8_of_3(const LevelCosts& costs, FoundPoints& found) const noexcept;
  void search_8_of_4(const LevelCosts& costs, FoundPoints& found) const noexcept;
  void search_4_of_8(const LevelCosts& costs, std::size_t first, FoundPoints& found) const noexcept;

  /// Points with the same first half, from `begin` on in second_ and index_ to where the next list begins.
  struct List {
    Lanes number;  ///< which list this is, eight times
    std::size_t first_half;
    std::size_t begin;
  };

  void add_list(std::size_t first_half);

  std::uint32_t width_;
  std::uint32_t n_levels_;             ///< that the tables are made for
  std::vector<List> lists_;            ///< and one more, at which the last list ends
  std::vector<std::uint16_t> second_;  ///< half of each point
  std::vector<std::uint16_t> index_;
};

}  // namespace kerf

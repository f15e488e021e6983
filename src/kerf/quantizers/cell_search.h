// The best codes for cells of eight numbers (VectorGrid) when their scales are given: what error feedback
// (GPTQ, LDLQ) asks for, and what the search for scales is made of.
#pragma once

#include <vector>

#include "kerf/quantizers/point_search.h"

namespace kerf {

/// The code of eight numbers, as in VectorCodes.
struct CellCode {
  std::uint16_t point[2];
  std::uint8_t negative;
  std::uint8_t shift_down;
};

/// Eight finite numbers x that are to be coded with a scale >= 0 and weights >= 0.
struct CellQuery {
  const float* x;  ///< [8]
  const float* w;  ///< [8]
  float scale;
  bool shift_down;
};

/// A code, what it stands for, and the sums that scales are fitted by.
struct CellAnswer {
  CellCode code;
  float error;                     ///< Σ w (x − scale · value)²
  float xv;                        ///< Σ w · x · value
  float vv;                        ///< Σ w · value²
  float value[VectorGrid::kCell];  ///< ±point + shift
};

class CellSearch {
 public:
  explicit CellSearch(const VectorGrid& grid);

  /// That of a grid with static storage; made at its first use.
  [[nodiscard]] static const CellSearch& of(const VectorGrid& grid);

  /// The code of least error for each query: the least of all for grids without `even` signs. With them, a
  /// cell with one sign too many tries to give it up at n_flips numbers (1 … 8), those where that costs least
  /// before the point is known, and afterwards at any; 8 finds the least. No answer depends on the other
  /// queries.
  void nearest(std::span<const CellQuery> queries, int n_flips, CellAnswer* answers) const noexcept;

  /// The coordinates that points have, ascending; their magnitudes where signs are stored apart.
  [[nodiscard]] std::span<const float> levels() const noexcept { return {level_, n_levels_}; }
  /// The root mean square of all coordinates.
  [[nodiscard]] float rms() const noexcept { return rms_; }

 private:
  struct Probe;
  struct Probes;

  [[nodiscard]] bool has_class(std::size_t parity) const noexcept;
  void put(const CellQuery& query, int n_flips, Probes* probes, CellAnswer& answer) const noexcept;
  void add(const Probe& probe, std::size_t flipped, Probes& probes) const noexcept;
  void search(Probes& probes) const noexcept;
  void find_points(const LevelCosts& costs, unsigned parity, CellCode* codes) const noexcept;
  void find_pairs(const LevelCosts& costs, unsigned parity, CellCode* codes) const noexcept;
  void finish(const Probe& probe, const CellCode& found) const noexcept;

  const VectorGrid& grid_;
  std::size_t n_levels_ = 0;
  float level_[VectorGrid::kMaxLevels];
  float rms_ = 0;
  std::vector<float> coordinates_;  // [n_points, width]
  /// Points with an even and with an odd number of coordinates below zero; all in the first where signs are
  /// not stored.
  std::vector<PointSearch> classes_;
};

}  // namespace kerf

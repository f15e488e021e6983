// One block of a piece of rows under a quadratic metric: least squares for its parameters, coordinate
// descent on its codes.
#pragma once

#include <vector>

#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

/// Columns whose differences d [n_columns] from their targets cost d·M·dᵀ.
struct Stretch {
  std::size_t first;  ///< column of the row
  std::size_t n_columns;
  MatrixView metric;  ///< M [n_columns, n_columns], symmetric
  Column* gradient;   ///< d·M [n_columns]
  Column* back;       ///< what they are rounded to [n_columns]
};

/// Refines blocks that lie in a stretch, and keeps that up to date.
class BlockRefiner {
 public:
  explicit BlockRefiner(PieceRounder& rounder);

  /// Refines columns begin … end − 1 of the stretch, a block: first its parameters, then its codes.
  void refine(const Stretch& stretch, std::size_t begin, std::size_t end);

 private:
  static constexpr std::size_t kMaxParameters = 2 * Grid::kMaxGroups;

  /// A block in a stretch.
  struct Place {
    std::size_t b;
    std::size_t begin;  ///< its first column in the stretch
    std::size_t n;      ///< numbers that count
    MatrixView metric;  ///< its part [n, n]
    Column* gradient;   ///< [n]
    Column* back;       ///< [n]
  };

  void refit_parameters(const Stretch& stretch, const Place& block);
  void gather_equations(const Place& block);
  void refit_row(const Place& block, std::size_t row);
  void descend(const Stretch& stretch, std::size_t begin, std::size_t end);

  [[nodiscard]] Sums& matrix(std::size_t p, std::size_t q) noexcept { return matrix_[p * n_parameters_ + q]; }

  PieceRounder& rounder_;
  const std::size_t n_groups_;
  const std::size_t group_size_;
  const std::size_t n_parameters_;  ///< scales, then offsets
  std::vector<Column> basis_;       ///< [block_size]
  std::vector<Column> change_;      ///< [block_size]
  std::vector<Column> response_;    ///< −M · (the basis of one group) [block_size]
  std::vector<Sums> matrix_;        ///< [n_parameters, n_parameters], lower triangle
  std::vector<Sums> slope_;         ///< [n_parameters]
  std::vector<std::uint8_t> bytes_;
};

}  // namespace kerf

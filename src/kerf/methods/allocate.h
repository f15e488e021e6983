// The best choice for each of many items within a number of bytes: which format for which tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

/// One way to store an item.
struct Option {
  std::uint64_t bytes = 0;
  double loss = 0;  ///< >= 0; losses of items add up
};

struct Allocation {
  std::vector<std::size_t> chosen;  ///< [n_items]: index of an option
  std::uint64_t bytes = 0;
  double loss = 0;
  /// No allocation within the budget can lose less: the Lagrangian dual max_λ Σ min(loss + λ·bytes) −
  /// λ·budget.
  double lower_bound = 0;
};

/// Minimises Σ loss subject to Σ bytes <= budget over one option per item (a multiple-choice knapsack).
/// Exact, by dynamic programming over sizes, when the options' sizes share a divisor that cuts the budget
/// into at most 2^16 steps; otherwise sizes are rounded up to such steps first, and what this leaves over is
/// given to the items that gain most by it, so the result is exact but for the rounding, and `lower_bound`
/// says how far off it can be. The sum never exceeds the budget. Errors: usage (even the smallest options do
/// not fit; says how many bytes they need).
Result<Allocation> allocate(const std::vector<std::vector<Option>>& items, std::uint64_t budget);

}  // namespace kerf

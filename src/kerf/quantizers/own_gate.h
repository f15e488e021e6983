// Tells numbers that may lie on a grid already from ordinary ones, in a few instructions.
#pragma once

#include "kerf/quantizers/panel.h"

namespace kerf {

/// What is looked at.
struct OwnGate {
  std::size_t n_compared = 0;  ///< of the first numbers of a group …
  std::int32_t n_equal = 1;    ///< … so many equal an earlier one; or:
  bool looks_at_bits = false;
  bool differences = false;
  std::int32_t zeros = 0;               ///< last bits that multiples of a step do not have
  bool looks_at_short_numbers = false;  ///< that have these zeros anyway
};

/// Which of the eight groups of a panel may lie on a grid, as a bit each.
[[nodiscard]] unsigned suspects_of(const Panel& panel, const OwnGate& gate) noexcept;

/// The same of one group of n numbers.
[[nodiscard]] bool may_be_own(const OwnGate& gate, const float* x, std::size_t n) noexcept;

}  // namespace kerf

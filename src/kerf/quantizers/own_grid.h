// Numbers that already lie on the grid of a format: decoded from it before, or rounded by hand. A search by
// starting points may pass by the one grid that holds them exactly; here it is read off the numbers.
#pragma once

#include "kerf/quantizers/own_gate.h"

namespace kerf {

/// For a format with a Grid.
class OwnGrid {
 public:
  /// Effort as in QuantizeOptions: with little there is no time for a close look at some formats.
  OwnGrid(const Format& format, int effort) noexcept;

  /// Which of the eight groups of a panel may be such numbers, as a bit each: a few instructions that turn
  /// away ordinary numbers. Groups of several to a block are not told apart here: all bits are set.
  [[nodiscard]] unsigned suspects(const Panel& panel) const noexcept;

  /// Replaces a block that does not decode to exactly these numbers by one that does, if there is one. The
  /// levels are those of the grid.
  void restore(const Levels& levels, const float* x, std::uint8_t* block) const noexcept;

 private:
  struct Trial;
  struct Candidates;

  [[nodiscard]] bool holds(const float* x, const std::uint8_t* block) const noexcept;
  bool offer(const Levels& levels, const float* x, Trial& trial) const noexcept;
  bool restore_group(const Levels& levels, const float* x, const std::uint8_t* block,
                     Trial& trial) const noexcept;
  bool find_candidates(const float* x, Candidates& candidates) const noexcept;
  template <class Offer>
  bool each_unit(const Candidates& candidates, Trial& trial, const Offer& offer) const noexcept;
  bool restore_separate_scales(const Levels& levels, const float* x, const Candidates& candidates,
                               Trial& trial) const noexcept;
  bool restore_scales(const Levels& levels, const float* x, Trial& trial) const noexcept;
  bool restore_offsets(const Levels& levels, const float* x, Trial& trial) const noexcept;

  const Format& format_;
  const Grid& grid_;
  std::size_t group_size_;
  OwnGate gate_;
  bool raced_ = false;  ///< against programs that take no time
};

}  // namespace kerf

// Parameters of whole blocks: fits each group, rounds scales and offsets to what the format can hold, and
// then searches among the neighbours of the rounded ones by the error that decode() will leave.
#pragma once

#include "kerf/quantizers/fit.h"

namespace kerf {

/// Works on a few blocks at a time, so that eight groups or more are searched together. About 34 KiB: one per
/// row, on the stack.
class BlockSearch {
 public:
  explicit BlockSearch(const Format& format) noexcept;

  /// How many blocks choose_parameters() takes at most.
  [[nodiscard]] std::size_t blocks_at_once() const noexcept { return blocks_at_once_; }

  /// Chooses and writes the parameters of n_blocks consecutive blocks of numbers, and remembers them. The
  /// code bytes are left alone. Importance may be nullptr.
  void choose_parameters(const float* x, const float* importance, std::size_t n_blocks,
                         std::uint8_t* blocks) noexcept;

  /// Writes the code of the nearest level for each number of block b of those remembered.
  void choose_codes(std::size_t b, const float* x, std::uint8_t* block) const noexcept;

 private:
  static constexpr std::size_t kMaxPanels = Grid::kMaxGroups / kLanes;
  static constexpr std::size_t kMaxLanes = Grid::kMaxGroups;

  /// One choice of parameters for all groups at hand, in the units of the panels, and what it costs.
  struct Choice {
    float scale[kMaxLanes];
    float offset[kMaxLanes];
    float error[kMaxLanes];
  };

  void load(const float* x, const float* importance) noexcept;
  void fit(Choice& choice) const noexcept;
  void store(Choice& choice, std::uint8_t* blocks) const noexcept;
  void measure(Choice& choice, LevelSums* sums) const noexcept;

  const Format& format_;
  const Grid& grid_;
  SearchPlan plan_;
  std::size_t group_size_;
  std::size_t blocks_at_once_;
  std::size_t n_blocks_ = 0;
  std::size_t n_groups_ = 0;  ///< of all blocks at hand
  float unit_[kMaxLanes];     ///< a power of two: number = unit · number in the panel
  float stored_scale_[kMaxLanes];
  float stored_offset_[kMaxLanes];
  Panel panels_[kMaxPanels];
};

}  // namespace kerf

// Parameters of whole blocks: fits each group, rounds scales and offsets to what the format can hold, and
// then searches among the neighbours of the rounded ones by the error that decode() will leave.
#pragma once

#include "kerf/quantizers/fit.h"
#include "kerf/quantizers/own_grid.h"

namespace kerf {

/// Bytes of any block; registered formats stay below (asserted by the tests).
inline constexpr std::size_t kMaxBlockBytes = 512;

/// Works on a few blocks at a time, so that eight groups or more are searched together. About 34 KiB: one per
/// row, on the stack.
class BlockSearch {
 public:
  /// Effort as in QuantizeOptions; weighted: choose_parameters() will be given importance.
  BlockSearch(const Format& format, int effort, bool weighted) noexcept;

  /// How many blocks choose_parameters() takes at most.
  [[nodiscard]] std::size_t blocks_at_once() const noexcept { return blocks_at_once_; }

  /// Chooses and writes the parameters of n_blocks consecutive blocks of numbers, and remembers them. The
  /// code bytes are left alone. Importance is nullptr unless the search is weighted.
  void choose_parameters(const float* x, const float* importance, std::size_t n_blocks,
                         std::uint8_t* blocks) noexcept;

  /// Writes the codes of the nearest levels into these blocks; x as before. Numbers that lay on a grid of the
  /// format already are kept exactly.
  void store_codes(const float* x, std::uint8_t* blocks) const noexcept;

 private:
  static constexpr std::size_t kMaxPanels = Grid::kMaxGroups / kLanes;
  static constexpr std::size_t kMaxLanes = Grid::kMaxGroups;
  static constexpr std::size_t kMaxNumbers = kLanes * Grid::kMaxBlock;

  /// One choice of parameters for all groups at hand, in the units of the panels, and what it costs.
  struct Choice {
    float scale[kMaxLanes];
    float offset[kMaxLanes];
    float error[kMaxLanes];
    LevelSums sums[kMaxPanels];
  };
  struct Lattice;

  /// What decode() will see.
  struct Stored {
    float scale[kMaxLanes];
    float offset[kMaxLanes];
  };

  [[nodiscard]] std::size_t n_panels() const noexcept { return (n_groups_ + kLanes - 1) / kLanes; }
  [[nodiscard]] std::size_t groups_of_panel(std::size_t p) const noexcept {
    return std::min(kLanes, n_groups_ - p * kLanes);
  }

  [[nodiscard]] const float* eight_groups(const float* x, std::size_t p, float* padded) const noexcept;
  void load(const float* x, const float* importance) noexcept;
  void choose_units() noexcept;
  void load_importance(const float* importance) noexcept;
  void look_for_own_grids() noexcept;
  void fit(Choice& choice) const noexcept;
  void store(Choice& choice, std::uint8_t* blocks) noexcept;
  void measure(Choice& choice) const noexcept;
  [[nodiscard]] double block_error(const Choice& choice, std::size_t b) const noexcept;
  void keep_better_groups(Choice& best, const Choice& other) const noexcept;
  void keep_better_blocks(Choice& best, const Choice& other) const noexcept;
  void refit_offsets(Choice& choice) const noexcept;
  void search_coarse_scales(Choice& best, std::uint8_t* blocks) noexcept;
  void store_fitted(Choice& choice, std::uint8_t* blocks) noexcept;
  void search_wider_scales(Choice& best, std::uint8_t* blocks) noexcept;
  void search_two_levels(Choice& best, std::uint8_t* blocks) noexcept;
  void polish_offsets(Choice& best, std::uint8_t* blocks) noexcept;
  void refit(const Choice& from, float step, Choice& trial) const noexcept;
  void offer_blocks(Choice& trial, Choice& best, std::uint8_t* blocks) noexcept;
  [[nodiscard]] Lattice lattice_of(const Choice& choice) const noexcept;
  void round_to_lattice(const Lattice& lattice, Choice& choice) const noexcept;
  void try_neighbours(const Lattice& lattice, Choice& best) const noexcept;
  void refit_steps(const Lattice& lattice, Choice& choice) const noexcept;
  bool store_if_better(Choice& best, Choice& other, std::uint8_t* block) noexcept;
  void try_steps(const Choice& fitted, Choice& best, std::uint8_t* block) noexcept;
  void search_lattice(const Choice& fitted, Choice& best, std::uint8_t* block) noexcept;

  const Format& format_;
  const Grid& grid_;
  float scale_ratio_;  ///< between neighbouring scales where they are coarse, else 1
  int effort_;
  SearchPlan plan_;
  OwnGrid own_grid_;
  std::size_t group_size_;
  std::size_t blocks_at_once_;
  std::size_t n_blocks_ = 0;
  std::size_t n_groups_ = 0;   ///< of all blocks at hand
  bool natural_units_ = true;  ///< every unit is 1
  unsigned suspects_ = 0;      ///< bit b: the numbers of block b may lie on a grid already
  float unit_[kMaxLanes];      ///< a power of two: number = unit · (number in the panel + centre)
  float centre_[kMaxLanes];
  Stored stored_;
  Panel panels_[kMaxPanels];
  Moments moments_[kMaxPanels];
};

}  // namespace kerf

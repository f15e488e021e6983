#include "kerf/quantizers/own_grid.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kerf/quantizers/block_search.h"
#include "kerf/quantizers/own_steps.h"

namespace kerf {

using namespace own;

namespace {

bool keeps_eleven_bits(const Grid& grid) noexcept {
  float scale[Grid::kMaxGroups];
  float offset[Grid::kMaxGroups] = {};
  std::uint8_t block[kMaxBlockBytes];
  constexpr float kWanted = 1.0F + 0x1p-10F;
  std::fill_n(scale, Grid::kMaxGroups, kWanted);
  grid.store_parameters(scale, offset, block);
  return scale[0] == kWanted;
}

}  // namespace

/// A block in the making.
struct OwnGrid::Trial {
  float scale[Grid::kMaxGroups];
  float offset[Grid::kMaxGroups];
  std::uint8_t block[kMaxBlockBytes];
};

OwnGrid::OwnGrid(const Format& format, int effort) noexcept
    : format_(format), grid_(*format.grid), group_size_(format.block_size / grid_.n_groups) {
  const std::size_t n_levels = grid_.levels.size();
  const bool lattice = grid_.n_groups > 1;
  // A product of a binary16, a level and a multiplier of seven bits.
  const int level_bits = static_cast<int>(std::bit_width(n_levels - 1)) - (grid_.has_offset ? 0 : 1);
  const int bits = 11 + level_bits + (lattice ? 7 : 0);
  gate_.zeros = (1 << (24 - std::min(bits, 24))) - 1;
  gate_.differences = grid_.has_offset;
  raced_ = effort <= 1 && format.in_gguf() && grid_.uniform && !lattice && n_levels <= 32;
  if (!grid_.uniform) {
    gate_.n_compared = n_levels <= 8 ? 8 : n_levels <= 16 ? 10 : 18;
    gate_.n_equal = n_levels <= 16 ? 1 : 2;
    return;
  }
  gate_.looks_at_bits = !raced_ && (lattice || grid_.has_offset || n_levels > 16);
  gate_.n_compared = gate_.looks_at_bits ? 3 : 4;
  gate_.n_equal = 2;
  gate_.looks_at_short_numbers = grid_.has_offset || !keeps_eleven_bits(grid_);
}

unsigned OwnGrid::suspects(const Panel& panel) const noexcept {
  if (grid_.n_groups > 1) return 0xFF;
  if (!raced_) return suspects_of(panel, gate_);
  // Others round these by the extremes alone: there is no time for more. Nor a need: what the search passes
  // by is that one level is as good as another.
  if (grid_.has_offset) return 0;
  unsigned equal = 0;
  for (std::size_t k = 0; k < kLanes; ++k) equal |= panel.x[0][k] == panel.x[1][k] ? 1U : 0U;
  return equal == 0 ? 0 : suspects_of(panel, gate_);
}

bool OwnGrid::holds(const float* x, const std::uint8_t* block) const noexcept {
  float back[Grid::kMaxBlock];
  format_.decode(block, back, format_.block_size);
  return std::equal(back, back + format_.block_size, x);
}

/// Stores the parameters and the codes that follow; whether the block now holds the numbers.
bool OwnGrid::offer(const Levels& levels, const float* x, Trial& trial) const noexcept {
  grid_.store_parameters(trial.scale, trial.offset, trial.block);
  std::uint8_t codes[Grid::kMaxBlock];
  choose_codes(levels, x, group_size_, grid_.n_groups, trial.scale, trial.offset, codes);
  grid_.store_codes(codes, trial.block);
  return holds(x, trial.block);
}

/// True if the block has to be replaced. Most groups have no grid that suits them, so that comes first.
bool OwnGrid::restore_group(const Levels& levels, const float* x, const std::uint8_t* block,
                            Trial& trial) const noexcept {
  const bool free_offset = grid_.has_offset && !grid_.zero_point;
  const double most_steps = grid_.zero_point ? 383
                            : free_offset    ? static_cast<double>(grid_.levels.size()) - 1
                                             : std::max(-grid_.levels.front(), grid_.levels.back());
  if (grid_.uniform && !may_have_steps(x, group_size_, free_offset ? x[0] : 0.0, most_steps)) return false;
  const Group group(x, group_size_);
  bool restored = false;
  const auto try_scale = [&](double wanted, double steps) {
    if (holds(x, block)) return true;
    trial.scale[0] = without_noise(wanted);
    trial.offset[0] = 0.0F;
    if (!grid_.has_offset) return restored = offer(levels, x, trial);
    grid_.store_parameters(trial.scale, trial.offset, trial.block);
    const float scale = trial.scale[0];
    if (std::fabs(scale - wanted) * std::max(steps, 1.0) > 4 * group.tolerance) return false;
    const auto try_offset = [&](double signed_scale, double offset) {
      trial.scale[0] = static_cast<float>(signed_scale);
      trial.offset[0] = static_cast<float>(offset);
      grid_.store_parameters(trial.scale, trial.offset, trial.block);
      return std::fabs(trial.offset[0] - offset) <= 4 * group.tolerance && offer(levels, x, trial);
    };
    const double n_levels = static_cast<double>(grid_.levels.size());
    const double unused = group.least == group.most ? n_levels - 1 : n_levels - 1 - steps;
    for (double below = grid_.levels[0]; below <= unused && !restored; ++below)
      restored = try_offset(scale, group.least - scale * below) ||
                 (grid_.scale_sign == Grid::Sign::any && try_offset(-scale, group.most + scale * below));
    return restored;
  };
  if (grid_.has_offset)
    each_step(grid_, group, false, try_scale);
  else
    each_scale(grid_, group, false, [&](double scale) { return try_scale(scale, 0.0); });
  return restored;
}

/// Scales that suit each group of a block, coarsest first.
struct OwnGrid::Candidates {
  static constexpr std::size_t kMost = 64;
  double scale[Grid::kMaxGroups][kMost];
  std::size_t n[Grid::kMaxGroups];

  /// The least that is a multiple of a unit, as that multiple; false if none is. The least, because
  /// multiples are stored in few bits. Of two that differ in sign the one that is wanted.
  bool multiple_of(std::size_t g, double unit, double sign, float& scale_of_g) const noexcept {
    double least = 129;
    for (std::size_t i = 0; i < n[g]; ++i) {
      const double multiple = whole(scale[g][i] / unit);
      const bool better =
          std::fabs(multiple) < std::fabs(least) || (multiple == -least && multiple * sign > 0);
      if (better && std::fabs(multiple * unit - scale[g][i]) <= 0x1p-18 * std::fabs(scale[g][i]))
        least = multiple;
    }
    scale_of_g = static_cast<float>(least * unit);
    return least != 129;
  }
};

bool OwnGrid::find_candidates(const float* x, Candidates& candidates) const noexcept {
  for (std::size_t g = 0; g < grid_.n_groups; ++g) {
    const Group group(x + g * group_size_, group_size_);
    std::size_t& n = candidates.n[g];
    n = 0;
    const auto add = [&](double scale, double /*steps*/ = 0) {
      candidates.scale[g][n++] = without_noise(scale);
      return n == Candidates::kMost;
    };
    if (grid_.has_offset)
      each_step(grid_, group, true, add);
    else
      each_scale(grid_, group, true, add);
    if (n == 0) return false;
  }
  return true;
}

/// Calls offer() with trial.scale set to multiples of one unit, for each unit there may be.
template <class Offer>
bool OwnGrid::each_unit(const Candidates& candidates, Trial& trial, const Offer& offer) const noexcept {
  // The group that leaves the fewest possibilities; zeros leave all.
  std::size_t fewest = grid_.n_groups;
  for (std::size_t g = 0; g < grid_.n_groups; ++g)
    if (candidates.scale[g][0] != 0.0 && (fewest == grid_.n_groups || candidates.n[g] < candidates.n[fewest]))
      fewest = g;
  if (fewest == grid_.n_groups) return false;
  for (std::size_t i = 0; i < candidates.n[fewest]; ++i)
    for (int multiple = 1; multiple <= 128; ++multiple) {
      const double scale = candidates.scale[fewest][i];
      const double unit = as_binary16(scale / multiple);
      if (std::fabs(unit * multiple - scale) > 0x1p-18 * std::fabs(scale)) continue;
      // Multiples reach one farther on one side: the widest have to agree on it.
      for (const double sign : {1.0, -1.0}) {
        bool all = true;
        for (std::size_t g = 0; g < grid_.n_groups && all; ++g)
          all = candidates.multiple_of(g, unit, sign, trial.scale[g]);
        if (all && offer()) return true;
        if (!all || grid_.scale_sign != Grid::Sign::any) break;
      }
    }
  return false;
}

/// Scales of a block that are stored one by one: of each group the coarsest that can be stored.
bool OwnGrid::restore_separate_scales(const Levels& levels, const float* x, const Candidates& candidates,
                                      Trial& trial) const noexcept {
  std::size_t chosen[Grid::kMaxGroups] = {};
  for (bool others = true; others;) {
    for (std::size_t g = 0; g < grid_.n_groups; ++g)
      trial.scale[g] = static_cast<float>(candidates.scale[g][chosen[g]]);
    if (offer(levels, x, trial)) return true;
    others = false;
    for (std::size_t g = 0; g < grid_.n_groups; ++g) {
      if (static_cast<double>(trial.scale[g]) == candidates.scale[g][chosen[g]]) continue;
      if (++chosen[g] == candidates.n[g]) return false;
      others = true;
    }
  }
  return false;
}

bool OwnGrid::restore_scales(const Levels& levels, const float* x, Trial& trial) const noexcept {
  Candidates candidates;
  return find_candidates(x, candidates) &&
         (restore_separate_scales(levels, x, candidates, trial) ||
          each_unit(candidates, trial, [&] { return offer(levels, x, trial); }));
}

/// Offsets have a unit as well; and the lowest level that a group uses need not be the lowest there is.
bool OwnGrid::restore_offsets(const Levels& levels, const float* x, Trial& trial) const noexcept {
  Candidates candidates;
  if (!find_candidates(x, candidates)) return false;
  double least[Grid::kMaxGroups];
  double range[Grid::kMaxGroups];
  double tolerance = 0;
  for (std::size_t g = 0; g < grid_.n_groups; ++g) {
    const Group group(x + g * group_size_, group_size_);
    least[g] = group.least;
    range[g] = group.most - group.least;
    tolerance = std::max(tolerance, group.tolerance);
  }
  const double most_steps = static_cast<double>(grid_.levels.size()) - 1;
  const auto levels_below = [&](std::size_t g, double scale) {
    return scale == 0.0 ? 0.0 : most_steps - whole(range[g] / scale);
  };
  const auto offset_of = [&](std::size_t g, double unit, double scale, float& offset) {
    const double spare = levels_below(g, scale);
    for (double below = 0; below <= spare; ++below) {
      const double wanted = least[g] - scale * below;
      const double rounded = unit * whole(wanted / unit);
      if (wanted > tolerance || std::fabs(rounded - wanted) > tolerance) continue;
      offset = static_cast<float>(rounded);
      return true;
    }
    return false;
  };
  return each_unit(candidates, trial, [&] {
    float scale[Grid::kMaxGroups];
    std::copy_n(trial.scale, grid_.n_groups, scale);
    const auto try_unit = [&](double unit) {
      std::copy_n(scale, grid_.n_groups, trial.scale);
      for (std::size_t g = 0; g < grid_.n_groups; ++g)
        if (!offset_of(g, unit, scale[g], trial.offset[g])) return false;
      return offer(levels, x, trial);
    };
    for (std::size_t g = 0; g < grid_.n_groups; ++g)
      for (double below = levels_below(g, scale[g]); below >= 0; --below) {
        const double wanted = scale[g] * below - least[g];
        if (wanted <= tolerance) continue;
        for (int multiple = 63; multiple > 0; --multiple) {
          const double unit = as_binary16(wanted / multiple);
          if (std::fabs(unit * multiple - wanted) <= tolerance && try_unit(unit)) return true;
        }
      }
    return false;
  });
}

void OwnGrid::restore(const Levels& levels, const float* x, std::uint8_t* block) const noexcept {
  Trial trial{};
  if (grid_.n_groups > 1) {
    if (!may_be_own(gate_, x, group_size_) || holds(x, block)) return;
    if (!(grid_.has_offset ? restore_offsets(levels, x, trial) : restore_scales(levels, x, trial))) return;
  } else if (!restore_group(levels, x, block, trial)) {
    return;
  }
  std::copy_n(trial.block, format_.block_bytes, block);
}

}  // namespace kerf

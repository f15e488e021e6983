#include "kerf/quantizers/block_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kerf {
namespace {

/// A power of two that brings numbers of this magnitude near 1 if their squares might leave binary32, else 1.
float unit_of(float largest) noexcept {
  if (largest == 0.0F || (largest > 0x1p-40F && largest < 0x1p40F)) return 1.0F;
  return std::ldexp(1.0F, std::clamp(std::ilogb(largest), -126, 126));
}

float finite(float value) noexcept {
  constexpr float kMax = std::numeric_limits<float>::max();
  return std::clamp(value, -kMax, kMax);
}

float largest_magnitude(const float* x, std::size_t n) noexcept {
  Lanes largest = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) largest[k] = std::max(largest[k], std::fabs(x[i + k]));
  for (; i < n; ++i) largest[0] = std::max(largest[0], std::fabs(x[i]));
  return *std::max_element(largest, largest + kLanes);
}

}  // namespace

BlockSearch::BlockSearch(const Format& format) noexcept
    : format_(format),
      grid_(*format.grid),
      plan_(grid_),
      group_size_(format.block_size / grid_.n_groups),
      blocks_at_once_(std::max<std::size_t>(1, kLanes / grid_.n_groups)) {}

void BlockSearch::load(const float* x, const float* importance) noexcept {
  Entry entry[kMaxPanels];
  for (std::size_t b = 0; b < n_blocks_; ++b) {
    const std::size_t first = b * format_.block_size;
    const float unit = unit_of(largest_magnitude(x + first, format_.block_size));
    const float weight =
        importance == nullptr ? 0.0F : largest_magnitude(importance + first, format_.block_size);
    for (std::size_t g = b * grid_.n_groups; g < (b + 1) * grid_.n_groups; ++g) {
      unit_[g] = unit;
      Entry& e = entry[g / kLanes];
      e.x_factor[g % kLanes] = 1.0F / unit;
      // Weights are relative; where all are zero, all numbers count the same.
      e.w_factor[g % kLanes] = safe_inverse(weight);
      e.w_term[g % kLanes] = weight == 0.0F ? 1.0F : 0.0F;
    }
  }
  for (std::size_t p = 0; p * kLanes < n_groups_; ++p) {
    const std::size_t at = p * kLanes * group_size_;
    load_panel(panels_[p], x + at, importance == nullptr ? nullptr : importance + at, group_size_,
               std::min(kLanes, n_groups_ - p * kLanes), entry[p]);
    if (grid_.has_offset) centre_far_groups(panels_[p]);
  }
}

void BlockSearch::fit(Choice& choice) const noexcept {
  for (std::size_t p = 0; p * kLanes < n_groups_; ++p) {
    GroupGrids grids;
    plan_.fit(panels_[p], grids);
    for (std::size_t k = 0; k < kLanes; ++k) {
      choice.scale[p * kLanes + k] = grids.scale[k];
      choice.offset[p * kLanes + k] = grids.offset[k];
    }
  }
}

void BlockSearch::store(Choice& choice, std::uint8_t* blocks) const noexcept {
  for (std::size_t b = 0; b < n_blocks_; ++b) {
    float scale[Grid::kMaxGroups];
    float offset[Grid::kMaxGroups];
    const std::size_t first = b * grid_.n_groups;
    for (std::size_t g = 0; g < grid_.n_groups; ++g) {
      const std::size_t k = first + g;
      scale[g] = finite(choice.scale[k] * unit_[k]);
      offset[g] = grid_.has_offset
                      ? finite((choice.offset[k] + panels_[k / kLanes].centre[k % kLanes]) * unit_[k])
                      : 0.0F;
    }
    grid_.store_parameters(scale, offset, blocks + b * format_.block_bytes);
    for (std::size_t g = 0; g < grid_.n_groups; ++g) {
      const std::size_t k = first + g;
      choice.scale[k] = scale[g] / unit_[k];
      choice.offset[k] =
          grid_.has_offset ? offset[g] / unit_[k] - panels_[k / kLanes].centre[k % kLanes] : 0.0F;
    }
  }
}

void BlockSearch::choose_parameters(const float* x, const float* importance, std::size_t n_blocks,
                                    std::uint8_t* blocks) noexcept {
  n_blocks_ = n_blocks;
  n_groups_ = n_blocks * grid_.n_groups;
  load(x, importance);
  Choice choice;
  fit(choice);
  store(choice, blocks);
  for (std::size_t k = 0; k < n_groups_; ++k) {
    stored_scale_[k] = choice.scale[k] * unit_[k];
    stored_offset_[k] =
        grid_.has_offset ? (choice.offset[k] + panels_[k / kLanes].centre[k % kLanes]) * unit_[k] : 0.0F;
  }
}

void BlockSearch::choose_codes(std::size_t b, const float* x, std::uint8_t* block) const noexcept {
  std::uint8_t codes[Grid::kMaxBlock];
  for (std::size_t g = 0; g < grid_.n_groups; ++g) {
    const std::size_t k = b * grid_.n_groups + g;
    kerf::choose_codes(plan_.levels(), x + g * group_size_, group_size_, stored_scale_[k], stored_offset_[k],
                       codes + g * group_size_);
  }
  grid_.store_codes(codes, block);
}

}  // namespace kerf

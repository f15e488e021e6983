#include "kerf/quantizers/block_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

/// A power of two that brings numbers of this magnitude near 1 if they are not between those.
float unit_of(float largest) noexcept {
  if (largest == 0.0F || (largest > kSmallestSafe && largest < kLargestSafe)) return 1.0F;
  return std::ldexp(1.0F, std::clamp(std::ilogb(largest), -126, 126));
}

float finite(float value) noexcept {
  constexpr float kMax = std::numeric_limits<float>::max();
  return std::clamp(value, -kMax, kMax);
}

/// The step between neighbouring scales that the grid can store, as a ratio; 1 where it is too small to care.
float scale_ratio(const Format& format) noexcept {
  const auto keeps = [&](float value) {
    float scale[Grid::kMaxGroups];
    float offset[Grid::kMaxGroups] = {};
    std::uint8_t block[kMaxBlockBytes];
    std::fill_n(scale, Grid::kMaxGroups, value);
    format.grid->store_parameters(scale, offset, block);
    return scale[0] == value;
  };
  const bool searched_otherwise =
      format.grid->has_offset || (format.grid->uniform && format.grid->n_groups > 1);
  if (searched_otherwise || keeps(1.0625F)) return 1.0F;
  return keeps(1.125F) ? 1.09F : 2.0F;
}

/// Which scales are tried, as parts of the one that makes the range fit exactly.
struct CoarseFactors {
  float widest, ratio;
  int n;
};

// Every step that is worth a thought, from leaving the highest levels unused to clipping a third of the range
// and more. The exact fit is among them, unless scales are powers of two: then there is one on either side.
CoarseFactors coarse_factors(float scale_ratio, int effort, std::size_t n_levels) noexcept {
  if (scale_ratio == 2.0F) return {.widest = 1.6F, .ratio = 2.0F, .n = effort < 2 ? 2 : 3};
  if (n_levels == 2) return {.widest = 1.0F, .ratio = 1.09F, .n = 22};  // signs: the mean magnitude is best
  switch (effort) {
    case 0:
      return {.widest = 1.09F * 1.09F * 1.09F * 1.09F, .ratio = 1.09F * 1.09F, .n = 6};
    case 1:
      return {.widest = 1.09F * 1.09F * 1.09F * 1.09F * 1.09F, .ratio = 1.09F, .n = 11};
    default:
      return {.widest = 2.0F, .ratio = 1.044F, .n = 36};
  }
}

/// Others hardly search without importance and long with it, where they heed it at all. And there is more to
/// find: one number may matter a million times as much as the rest, and the steps of its block must suit it.
bool importance_deserves_more(const Grid& grid, float scale_ratio) noexcept {
  const std::size_t n_levels = grid.levels.size();
  return scale_ratio == 1.0F && n_levels <= 64 && (n_levels > 8 || grid.n_groups > 1);
}

}  // namespace

BlockSearch::BlockSearch(const Format& format, int effort, bool weighted) noexcept
    : format_(format),
      grid_(*format.grid),
      scale_ratio_(scale_ratio(format)),
      effort_(std::clamp(effort + (weighted && importance_deserves_more(grid_, scale_ratio_) ? 1 : 0), 0,
                         kMostEffort)),
      plan_(grid_, effort_, weighted),
      own_grid_(format, effort_),
      group_size_(format.block_size / grid_.n_groups),
      blocks_at_once_(std::max<std::size_t>(1, kLanes / grid_.n_groups)) {}

// Numbers of panel p; where groups are missing, of a copy with zeros in their place.
const float* BlockSearch::eight_groups(const float* x, std::size_t p, float* padded) const noexcept {
  const float* first = x + p * kLanes * group_size_;
  const std::size_t n = groups_of_panel(p) * group_size_;
  if (n == kLanes * group_size_) return first;
  std::copy_n(first, n, padded);
  std::fill(padded + n, padded + kLanes * group_size_, 0.0F);
  return padded;
}

void BlockSearch::load(const float* x, const float* importance) noexcept {
  float padded[kMaxNumbers];
  for (std::size_t p = 0; p < n_panels(); ++p)
    load_numbers(panels_[p], eight_groups(x, p, padded), group_size_);
  choose_units();
  look_for_own_grids();
  if (importance != nullptr) load_importance(importance);
  std::fill_n(centre_, kMaxLanes, 0.0F);
  if (!grid_.has_offset) return;
  for (std::size_t p = 0; p < n_panels(); ++p) {
    centre_far_groups(panels_[p]);
    std::copy_n(panels_[p].centre, kLanes, centre_ + p * kLanes);
    moments(panels_[p], moments_[p]);
  }
}

void BlockSearch::choose_units() noexcept {
  std::fill_n(unit_, kMaxLanes, 1.0F);
  natural_units_ = true;
  for (std::size_t p = 0; p < n_panels(); ++p) natural_units_ = natural_units_ && panels_[p].squares_are_safe;
  if (natural_units_) return;
  for (std::size_t b = 0; b < n_blocks_; ++b) {
    const std::size_t first = b * grid_.n_groups;
    float largest = 0.0F;
    for (std::size_t k = first; k < first + grid_.n_groups; ++k) {
      const Panel& panel = panels_[k / kLanes];
      largest = std::max({largest, panel.largest[k % kLanes], -panel.smallest[k % kLanes]});
    }
    std::fill_n(unit_ + first, grid_.n_groups, unit_of(largest));
  }
  for (std::size_t p = 0; p < n_panels(); ++p) {
    Lanes factor = {};
    for (std::size_t k = 0; k < groups_of_panel(p); ++k) factor[k] = 1.0F / unit_[p * kLanes + k];
    multiply(panels_[p], factor);
  }
}

void BlockSearch::look_for_own_grids() noexcept {
  suspects_ = 0;
  for (std::size_t p = 0; p < n_panels(); ++p) suspects_ |= own_grid_.suspects(panels_[p]) << (p * kLanes);
}

// Weights are relative to the largest of the block. Where all are zero all numbers count the same, and a
// group without weight in a block that has some is still fitted to its numbers.
void BlockSearch::load_importance(const float* importance) noexcept {
  float largest[kMaxLanes];
  float padded[kMaxNumbers];
  for (std::size_t p = 0; p < n_panels(); ++p) {
    Lanes of_groups;
    load_weights(panels_[p], eight_groups(importance, p, padded), of_groups);
    std::copy_n(of_groups, kLanes, largest + p * kLanes);
  }
  // Lanes without a group weigh one.
  float factor[kMaxLanes] = {};
  float term[kMaxLanes];
  std::fill_n(term, kMaxLanes, 1.0F);
  for (std::size_t first = 0; first < n_groups_; first += grid_.n_groups) {
    const float of_block = *std::max_element(largest + first, largest + first + grid_.n_groups);
    std::fill_n(factor + first, grid_.n_groups, safe_inverse(of_block));
    std::fill_n(term + first, grid_.n_groups, of_block == 0.0F ? 1.0F : 0x1p-20F);
  }
  for (std::size_t p = 0; p < n_panels(); ++p) {
    Lanes factors;
    Lanes terms;
    std::copy_n(factor + p * kLanes, kLanes, factors);
    std::copy_n(term + p * kLanes, kLanes, terms);
    change_weights(panels_[p], factors, terms);
  }
}

void BlockSearch::fit(Choice& choice) const noexcept {
  for (std::size_t p = 0; p < n_panels(); ++p) {
    GroupGrids grids;
    plan_.fit(panels_[p], moments_[p], grids);
    std::copy_n(grids.scale, kLanes, choice.scale + p * kLanes);
    std::copy_n(grids.offset, kLanes, choice.offset + p * kLanes);
  }
}

// What is stored last is what codes will be chosen for.
void BlockSearch::store(Choice& choice, std::uint8_t* blocks) noexcept {
  for (std::size_t k = 0; k < n_groups_; ++k) {
    stored_.scale[k] = finite(choice.scale[k] * unit_[k]);
    stored_.offset[k] = finite((choice.offset[k] + centre_[k]) * unit_[k]);
  }
  for (std::size_t b = 0; b < n_blocks_; ++b)
    grid_.store_parameters(stored_.scale + b * grid_.n_groups, stored_.offset + b * grid_.n_groups,
                           blocks + b * format_.block_bytes);
  for (std::size_t k = 0; k < n_groups_; ++k) {
    choice.scale[k] = stored_.scale[k] / unit_[k];
    choice.offset[k] = stored_.offset[k] / unit_[k] - centre_[k];
  }
}

void BlockSearch::measure(Choice& choice) const noexcept {
  for (std::size_t p = 0; p < n_panels(); ++p) {
    Lanes scale;
    Lanes offset;
    Lanes error;
    std::copy_n(choice.scale + p * kLanes, kLanes, scale);
    std::copy_n(choice.offset + p * kLanes, kLanes, offset);
    grid_errors(panels_[p], plan_.levels(), scale, offset, error, choice.sums[p]);
    // 0 · ∞ of hopeless parameters must not look like something that nothing can better.
    for (std::size_t k = 0; k < kLanes; ++k)
      choice.error[p * kLanes + k] = std::isnan(error[k]) ? std::numeric_limits<float>::infinity() : error[k];
  }
}

double BlockSearch::block_error(const Choice& choice, std::size_t b) const noexcept {
  double sum = 0;
  for (std::size_t g = 0; g < grid_.n_groups; ++g)
    sum += static_cast<double>(choice.error[b * grid_.n_groups + g]);
  return sum;
}

void BlockSearch::keep_better_groups(Choice& best, const Choice& other) const noexcept {
  for (std::size_t k = 0; k < n_groups_; ++k)
    if (other.error[k] < best.error[k]) {
      best.scale[k] = other.scale[k];
      best.offset[k] = other.offset[k];
      best.error[k] = other.error[k];
    }
}

void BlockSearch::keep_better_blocks(Choice& best, const Choice& other) const noexcept {
  for (std::size_t b = 0; b < n_blocks_; ++b) {
    if (!(block_error(other, b) < block_error(best, b))) continue;
    const std::size_t first = b * grid_.n_groups;
    std::copy_n(other.scale + first, grid_.n_groups, best.scale + first);
    std::copy_n(other.offset + first, grid_.n_groups, best.offset + first);
    std::copy_n(other.error + first, grid_.n_groups, best.error + first);
  }
}

void BlockSearch::refit_offsets(Choice& choice) const noexcept {
  for (std::size_t p = 0; p < n_panels(); ++p) {
    Lanes scale;
    Lanes offset;
    std::copy_n(choice.scale + p * kLanes, kLanes, scale);
    std::copy_n(choice.offset + p * kLanes, kLanes, offset);
    kerf::refit_offsets(moments_[p], choice.sums[p], scale, offset);
    std::copy_n(offset, kLanes, choice.offset + p * kLanes);
  }
}

// Scales with few bits, each for one group only. Where the levels reach farther on one side, either sign may
// suit the numbers.
void BlockSearch::search_coarse_scales(Choice& best, std::uint8_t* blocks) noexcept {
  const Levels& levels = plan_.levels();
  const float reach = std::max(-levels.lo(), levels.hi());
  const bool both_signs = grid_.scale_sign == Grid::Sign::any && !levels.symmetric();
  const CoarseFactors factors = coarse_factors(scale_ratio_, effort_, grid_.levels.size());
  float scale[kMaxLanes];
  for (std::size_t p = 0; p < n_panels(); ++p)
    for (std::size_t k = 0; k < kLanes; ++k)
      scale[p * kLanes + k] =
          std::max(panels_[p].largest[k], -panels_[p].smallest[k]) * (factors.widest / reach);
  for (int i = 0; i < factors.n; ++i) {
    for (const float sign : {1.0F, -1.0F}) {
      if (sign < 0.0F && !both_signs) break;
      Choice trial;
      for (std::size_t k = 0; k < kMaxLanes; ++k) {
        trial.scale[k] = sign * scale[k];
        trial.offset[k] = 0.0F;
      }
      store(trial, blocks);
      measure(trial);
      if (i == 0 && sign > 0.0F)
        best = trial;
      else
        keep_better_groups(best, trial);
    }
    for (float& each : scale) each /= factors.ratio;
  }
  store(best, blocks);
}

void BlockSearch::store_fitted(Choice& choice, std::uint8_t* blocks) noexcept {
  if (natural_units_)
    store(choice, blocks);
  else
    search_wider_scales(choice, blocks);
}

// Tiny numbers: the best scale may round to nothing, or to a small multiple of the smallest that there is. So
// wider ones are tried as well, and zeros.
void BlockSearch::search_wider_scales(Choice& best, std::uint8_t* blocks) noexcept {
  const Choice fitted = best;
  for (const float factor : {1.0F, 2.0F, 4.0F, 8.0F, 16.0F, 32.0F, 64.0F, 128.0F, 0.0F}) {
    Choice trial = fitted;
    for (std::size_t k = 0; k < n_groups_; ++k) {
      trial.scale[k] *= factor;
      if (factor == 0.0F) trial.offset[k] = -centre_[k];
    }
    if (grid_.has_offset && factor > 1.0F) {
      measure(trial);
      refit_offsets(trial);
    }
    store(trial, blocks);
    measure(trial);
    if (factor == 1.0F)
      best = trial;
    else
      keep_better_blocks(best, trial);
  }
  store(best, blocks);
}

void BlockSearch::choose_parameters(const float* x, const float* importance, std::size_t n_blocks,
                                    std::uint8_t* blocks) noexcept {
  n_blocks_ = n_blocks;
  n_groups_ = n_blocks * grid_.n_groups;
  load(x, importance);
  Choice choice;
  if (scale_ratio_ != 1.0F) {
    search_coarse_scales(choice, blocks);
    return;
  }
  fit(choice);
  if (grid_.n_groups == 1) {
    store_fitted(choice, blocks);
    // Those of GGUF are raced against other programs, and do without.
    if (grid_.has_offset && !format_.in_gguf()) polish_offsets(choice, blocks);
    return;
  }
  const Choice fitted = choice;
  store_fitted(choice, blocks);
  search_lattice(fitted, choice, blocks);
}

// All groups at hand in one call: a block of 32 alone would be over before it began.
void BlockSearch::store_codes(const float* x, std::uint8_t* blocks) const noexcept {
  std::uint8_t codes[kMaxNumbers];
  choose_codes(plan_.levels(), x, group_size_, n_groups_, stored_.scale, stored_.offset, codes);
  for (std::size_t b = 0; b < n_blocks_; ++b)
    grid_.store_codes(codes + b * format_.block_size, blocks + b * format_.block_bytes);
  for (std::size_t b = 0; b < n_blocks_ && suspects_ != 0; ++b)
    if ((suspects_ >> b & 1U) != 0)
      own_grid_.restore(plan_.levels(), x + b * format_.block_size, blocks + b * format_.block_bytes);
}

}  // namespace kerf

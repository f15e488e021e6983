// The part of BlockSearch that knows that parameters of groups are small multiples of a step that a block
// has in common: what it finds is found again by Grid::store_parameters().
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/block_search.h"

namespace kerf {
namespace {

/// The largest number of which all values are multiples: Euclid's algorithm. The values are products of one
/// factor of few bits and small integers, so every step is exact.
float common_factor(const float* values, std::size_t n) noexcept {
  float factor = 0.0F;
  for (std::size_t g = 0; g < n; ++g) {
    float other = std::fabs(values[g]);
    const float ratio = factor == 0.0F ? 0.5F : other / factor;
    if (ratio == std::rint(ratio) && ratio * factor == other) continue;  // by far the most frequent case
    while (other != 0.0F) {
      const float rest = factor == 0.0F ? 0.0F : std::fmod(factor, other);
      factor = other;
      other = rest;
    }
  }
  return factor;
}

}  // namespace

/// The lattice on which the stored parameters of a block lie.
struct BlockSearch::Lattice {
  float scale_step, offset_step;  ///< 0: no lattice
  float most_scale, most_offset;  ///< in steps, as large as any that is in use
  std::size_t widest_scale, widest_offset;

  /// Multiples of more bits are not worth a search, if they are a lattice at all.
  [[nodiscard]] bool usable() const noexcept { return scale_step != 0.0F && most_scale <= 128.0F; }
};

BlockSearch::Lattice BlockSearch::lattice_of(const Choice& choice) const noexcept {
  Lattice lattice{};
  float offset[kMaxLanes] = {};
  for (std::size_t k = 0; k < n_groups_; ++k) {
    offset[k] = choice.offset[k] + centre_[k];
    if (std::fabs(choice.scale[k]) > std::fabs(choice.scale[lattice.widest_scale])) lattice.widest_scale = k;
    if (std::fabs(offset[k]) > std::fabs(offset[lattice.widest_offset])) lattice.widest_offset = k;
  }
  lattice.scale_step = common_factor(choice.scale, n_groups_);
  lattice.most_scale = std::fabs(choice.scale[lattice.widest_scale]) * safe_inverse(lattice.scale_step);
  if (grid_.has_offset) {
    lattice.offset_step = common_factor(offset, n_groups_);
    lattice.most_offset = std::fabs(offset[lattice.widest_offset]) * safe_inverse(lattice.offset_step);
  }
  return lattice;
}

void BlockSearch::round_to_lattice(const Lattice& lattice, Choice& choice) const noexcept {
  const float least = grid_.scale_sign == Grid::Sign::any ? -lattice.most_scale : 0.0F;
  const float inverse = safe_inverse(lattice.scale_step);
  for (std::size_t k = 0; k < n_groups_; ++k) {
    const float code = std::rint(choice.scale[k] * inverse);
    choice.scale[k] = lattice.scale_step * std::clamp(code, least, lattice.most_scale);
  }
  if (!grid_.has_offset) return;
  const float lowest = grid_.offset_sign == Grid::Sign::non_negative ? 0.0F : -lattice.most_offset;
  const float highest = grid_.offset_sign == Grid::Sign::non_positive ? 0.0F : lattice.most_offset;
  const float inverse_offset = safe_inverse(lattice.offset_step);
  for (std::size_t k = 0; k < n_groups_; ++k) {
    const float code = std::rint((choice.offset[k] + centre_[k]) * inverse_offset);
    choice.offset[k] = lattice.offset_step * std::clamp(code, lowest, highest) - centre_[k];
  }
}

// All groups move at once; each keeps what suits it. The widest stay, because they hold the lattice in place.
void BlockSearch::try_neighbours(const Lattice& lattice, Choice& best) const noexcept {
  const Choice start = best;
  const auto offer = [&](float scale_steps, float level_shift) {
    Choice trial = start;
    for (std::size_t k = 0; k < n_groups_; ++k) {
      if (k != lattice.widest_scale) trial.scale[k] += scale_steps * lattice.scale_step;
      trial.offset[k] += level_shift * trial.scale[k];
    }
    round_to_lattice(lattice, trial);
    if (grid_.has_offset) {
      measure(trial);
      refit_offsets(trial);
      trial.offset[lattice.widest_offset] = start.offset[lattice.widest_offset];
      round_to_lattice(lattice, trial);
    }
    measure(trial);
    keep_better_groups(best, trial);
  };
  for (const float steps : {1.0F, -1.0F}) offer(steps, 0.0F);
  if (effort_ > 1 || grid_.has_offset)
    for (const float steps : {2.0F, -2.0F}) offer(steps, 0.0F);
  if (!grid_.has_offset) return;
  for (const float shift : {-1.0F, 1.0F}) offer(0.0F, shift);
}

// With the multiples as they are, least squares has one unknown, or two with offsets:
// x ≈ scale_step · (multiple · level) + offset_step · multiple.
void BlockSearch::refit_steps(const Lattice& lattice, Choice& choice) const noexcept {
  measure(choice);
  const double inverse_scale = static_cast<double>(safe_inverse(lattice.scale_step));
  const double inverse_offset = static_cast<double>(safe_inverse(lattice.offset_step));
  double aa = 0;
  double ab = 0;
  double bb = 0;
  double ax = 0;
  double bx = 0;
  for (std::size_t k = 0; k < n_groups_; ++k) {
    const LevelSums& sums = choice.sums[k / kLanes];
    const std::size_t lane = k % kLanes;
    const double centre = static_cast<double>(centre_[k]);
    const double a = std::rint(static_cast<double>(choice.scale[k]) * inverse_scale);
    aa += a * a * static_cast<double>(sums.ll[lane]);
    ax += a * (static_cast<double>(sums.xl[lane]) + centre * static_cast<double>(sums.l[lane]));
    if (!grid_.has_offset) continue;
    const Moments& numbers = moments_[k / kLanes];
    const double b = std::rint((static_cast<double>(choice.offset[k]) + centre) * inverse_offset);
    ab += a * b * static_cast<double>(sums.l[lane]);
    bb += b * b * static_cast<double>(numbers.w[lane]);
    bx += b * (static_cast<double>(numbers.x[lane]) + centre * static_cast<double>(numbers.w[lane]));
  }
  double scale_step = aa > 0 ? ax / aa : 0.0;
  double offset_step = static_cast<double>(lattice.offset_step);
  const double determinant = aa * bb - ab * ab;
  if (determinant > 1e-6 * aa * bb) {
    scale_step = (ax * bb - bx * ab) / determinant;
    offset_step = (bx * aa - ax * ab) / determinant;
  }
  for (std::size_t k = 0; k < n_groups_; ++k) {
    const double a = std::rint(static_cast<double>(choice.scale[k]) * inverse_scale);
    choice.scale[k] = static_cast<float>(a * scale_step);
    if (!grid_.has_offset) continue;
    const double centre = static_cast<double>(centre_[k]);
    const double b = std::rint((static_cast<double>(choice.offset[k]) + centre) * inverse_offset);
    choice.offset[k] = static_cast<float>(b * offset_step - centre);
  }
}

bool BlockSearch::store_if_better(Choice& best, Choice& other, std::uint8_t* block) noexcept {
  const Stored before = stored_;
  std::uint8_t bytes[kMaxBlockBytes];
  std::copy_n(block, format_.block_bytes, bytes);
  store(other, block);
  measure(other);
  if (block_error(other, 0) < block_error(best, 0)) {
    best = other;
    return true;
  }
  stored_ = before;
  std::copy_n(bytes, format_.block_bytes, block);
  return false;
}

// The widest scale as fitted may have any multiple near the one that it was given: which suits the others
// best is decided by what is left of the numbers, where store_parameters() looks at the scales alone.
void BlockSearch::try_steps(const Choice& fitted, Choice& best, std::uint8_t* block) noexcept {
  const Lattice current = lattice_of(best);
  if (!current.usable()) return;
  const float widest = std::fabs(fitted.scale[current.widest_scale]);
  const int n_steps = effort_ == 2 ? 4 : 12;
  Choice found = best;
  for (int i = 0; i < n_steps; ++i) {
    const float multiple = current.most_scale - static_cast<float>(i);
    if (multiple < 1.0F) break;
    Lattice lattice = current;
    lattice.scale_step = widest / multiple;
    Choice trial = fitted;
    round_to_lattice(lattice, trial);
    measure(trial);
    if (grid_.has_offset) {
      refit_offsets(trial);
      round_to_lattice(lattice, trial);
      measure(trial);
    }
    if (block_error(trial, 0) < block_error(found, 0)) found = trial;
  }
  if (block_error(found, 0) < block_error(best, 0)) store_if_better(best, found, block);
}

void BlockSearch::search_lattice(const Choice& fitted, Choice& best, std::uint8_t* block) noexcept {
  if (effort_ == 0) return;
  measure(best);
  if (effort_ > 1) try_steps(fitted, best, block);
  const int n_rounds = effort_ == 1 ? 1 : effort_ == 2 ? 2 : 10;
  for (int round = 0; round < n_rounds; ++round) {
    const Lattice lattice = lattice_of(best);
    if (!lattice.usable()) return;
    Choice found = best;
    try_neighbours(lattice, found);
    bool improved = store_if_better(best, found, block);
    if (effort_ > 1) {
      found = best;
      refit_steps(lattice_of(best), found);
      improved |= store_if_better(best, found, block);
    }
    if (!improved) return;
  }
}

}  // namespace kerf

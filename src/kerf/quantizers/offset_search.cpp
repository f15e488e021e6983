// BlockSearch for formats of kerf's own with an offset per group: zero points, and grids of one to eight
// bits.
#include <algorithm>
#include <cmath>

#include "kerf/quantizers/block_search.h"

namespace kerf {

void BlockSearch::offer_blocks(Choice& trial, Choice& best, std::uint8_t* blocks) noexcept {
  store(trial, blocks);
  measure(trial);
  keep_better_blocks(best, trial);
}

// Least squares to the levels that `from` leads to. With a zero point z, `step` from the one it has now: the
// scale is Σ wx(l − z) / Σ w(l − z)². Where that is nothing, the group stays as it is.
void BlockSearch::refit(const Choice& from, float step, Choice& trial) const noexcept {
  trial = from;
  for (std::size_t k = 0; k < n_groups_; ++k) {
    const LevelSums& sums = from.sums[k / kLanes];
    const std::size_t lane = k % kLanes;
    const double w = moments_[k / kLanes].w[lane];
    const double l = sums.l[lane];
    const double x = moments_[k / kLanes].x[lane] + centre_[k] * w;  // not from the centre
    const double xl = sums.xl[lane] + centre_[k] * l;
    double zero = std::rint(-(from.offset[k] + centre_[k]) * safe_inverse(from.scale[k])) + step;
    double scale = (xl - zero * x) / (sums.ll[lane] - 2.0 * zero * l + zero * zero * w);
    if (!grid_.zero_point) {
      scale = (w * xl - x * l) / (w * sums.ll[lane] - l * l);
      zero = -(x - scale * l) / (w * scale);
    }
    const double offset = -zero * scale - centre_[k];
    const bool sign_fits = scale > 0.0 || (scale < 0.0 && grid_.scale_sign == Grid::Sign::any);
    if (!sign_fits || !(std::fabs(scale) < 1e30) || !(std::fabs(offset) < 1e30)) continue;
    trial.scale[k] = static_cast<float>(scale);
    trial.offset[k] = static_cast<float>(offset);
  }
}

// Two free levels are two means, and where they part is what matters: three places, and Lloyd's steps from
// each.
void BlockSearch::search_two_levels(Choice& best, std::uint8_t* blocks) noexcept {
  for (const float part : {0.25F, 0.5F, 0.75F}) {
    Choice trial = best;
    for (std::size_t k = 0; k < n_groups_; ++k) {
      const Panel& panel = panels_[k / kLanes];
      const float range = panel.largest[k % kLanes] - panel.smallest[k % kLanes];
      trial.scale[k] = 0.5F * range;
      trial.offset[k] = panel.smallest[k % kLanes] + (part - 0.25F) * range;
    }
    measure(trial);
    for (int step = 0; step < 4; ++step) {
      const Choice from = trial;
      refit(from, 0.0F, trial);
      offer_blocks(trial, best, blocks);
    }
  }
}

// Offsets that are stored with few bits, and grids so fine or so coarse that the first fit is not the best:
// also the plain range of the numbers, and least squares for what was stored. A step is a zero point, by one.
void BlockSearch::polish_offsets(Choice& best, std::uint8_t* blocks) noexcept {
  measure(best);
  Choice trial = best;
  for (std::size_t k = 0; k < n_groups_; ++k) {
    const Panel& panel = panels_[k / kLanes];
    float least = panel.smallest[k % kLanes];
    if (grid_.offset_sign == Grid::Sign::non_positive) least = std::min(least, -centre_[k]);
    trial.scale[k] = (panel.largest[k % kLanes] - least) / (plan_.levels().hi() - plan_.levels().lo());
    trial.offset[k] = least - plan_.levels().lo() * trial.scale[k];
  }
  offer_blocks(trial, best, blocks);
  if (grid_.levels.size() == 2 && !grid_.zero_point) search_two_levels(best, blocks);
  for (int round = 0; round < 1 + effort_; ++round) {
    measure(best);
    const Choice start = best;
    for (const float step : {0.0F, -1.0F, 1.0F}) {
      if (step != 0.0F && !grid_.zero_point) break;
      refit(start, step, trial);
      offer_blocks(trial, best, blocks);
    }
  }
  store(best, blocks);
}

}  // namespace kerf

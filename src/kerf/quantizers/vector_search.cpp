#include "kerf/quantizers/vector_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kerf/base/bits.h"
#include "kerf/formats/row_scaled.h"
#include "kerf/formats/vector_grid.h"
#include "kerf/quantizers/cell_search.h"
#include "kerf/quantizers/own_vectors.h"

namespace kerf {
namespace {

constexpr std::size_t kCell = VectorGrid::kCell;
constexpr std::size_t kMaxGroupCells = 4;

const Format& block_format(const Format& format) noexcept {
  return format.row_scale == nullptr ? format : *format.row_scale->inner;
}

/// How hard to look, by QuantizeOptions::effort.
struct Effort {
  std::span<const float> starts;  ///< scales to begin with, relative to a usual one
  int n_flips;                    ///< CellSearch::nearest()
  float spread;                   ///< scale codes are tried within this part of the scale that fits best
  int n_rounds;                   ///< of scale codes, then the factor
};

// Errors fall by a few per cent with each further start; the finer the codebook, the more a good scale
// counts.
constexpr float kOneStart[] = {1.0F};
constexpr float kTwoStarts[] = {0.85F, 1.15F};
constexpr float kHighStarts[] = {1.0F, 1.25F};
constexpr float kThreeStarts[] = {0.8F, 1.0F, 1.2F};
constexpr float kFourStarts[] = {0.8F, 1.0F, 1.2F, 1.4F};
constexpr float kTwelveStarts[] = {0.6F,  0.7F,  0.8F, 0.87F, 0.94F, 1.0F,
                                   1.06F, 1.13F, 1.2F, 1.3F,  1.4F,  1.55F};

Effort effort_of(const VectorGrid& grid, const QuantizeOptions& options) noexcept {
  const int effort = std::clamp(options.effort, 0, 3);
  // Where only the factor is searched, rounds find it; free scales of groups merely give it a start.
  if (grid.multipliers.size() == 1) return {kOneStart, 1 << effort, 0.0F, 2 + effort};
  const bool coarse = grid.signs == VectorGrid::Signs::none;
  const bool fine = grid.width == 4;
  switch (effort) {
    case 0:
      return {fine ? std::span<const float>(kTwoStarts) : kOneStart, 1, 0.0F, 1};
    case 1:
      if (coarse) return {kOneStart, 1, 0.06F, 1};
      if (grid.shift != 0) return {fine ? std::span<const float>(kHighStarts) : kOneStart, 1, 0.06F, 1};
      return {fine ? std::span<const float>(kFourStarts) : kThreeStarts, 1, 0.06F, 2};
    case 2:
      return {kFourStarts, 2, 0.12F, 3};
    default:
      return {kTwelveStarts, 8, 0.2F, 4};
  }
}

/// What rounding scales to factor · (the nearest multiplier) costs: Σ weight · (rounded − wanted)².
KERF_CLONES float rounding_cost(const float* wanted, const float* weight, std::size_t n, float factor,
                                const float* multipliers, std::size_t n_multipliers) noexcept {
  Eight cost = Eight::zero();
  for (std::size_t g = 0; g < n; g += kLanes) {
    const Eight scale = Eight::load(wanted + g);
    Eight rounded = Eight::all(factor * multipliers[0]);
    for (std::size_t m = 1; m < n_multipliers; ++m)
      rounded = where_greater(scale, Eight::all(0.5F * factor * (multipliers[m - 1] + multipliers[m])),
                              Eight::all(factor * multipliers[m]), rounded);
    const Eight miss = rounded - scale;
    cost += Eight::load(weight + g) * miss * miss;
  }
  Lanes sums;
  cost.store(sums);
  return std::accumulate(sums, sums + kLanes, 0.0F);
}

/// Codes of a group for one scale, and the sums of least squares: the error at scale s is xx − 2·s·xv +
/// s²·vv.
struct GroupFit {
  double xv = 0;
  double vv = 0;
  double error = 0;
  CellCode cells[kMaxGroupCells];
};

struct Trial {
  std::size_t group;
  float scale;
  std::uint8_t code;  ///< of the scale, where it has one
  GroupFit fit;
};

/// Groups that share a factor: a block, or a row where that has the factor.
class FactorSearch {
 public:
  FactorSearch(const Format& format, std::size_t n, const QuantizeOptions& options)
      : format_(format),
        blocks_(block_format(format)),
        grid_(*blocks_.vectors),
        cells_(CellSearch::of(grid_)),
        effort_(effort_of(grid_, options)),
        group_size_(grid_.group_cells * kCell),
        n_(n),
        n_groups_((n + blocks_.block_size - 1) / blocks_.block_size * (blocks_.block_size / group_size_)),
        x_(n_groups_ * group_size_),
        w_(x_.size()),
        wanted_((n_groups_ + kLanes - 1) / kLanes * kLanes),
        weight_(wanted_.size()),
        fits_(n_groups_),
        codes_(n_groups_),
        best_fits_(n_groups_),
        best_codes_(n_groups_) {}

  void run(const float* x, const float* importance, std::uint8_t* dst) noexcept {
    load(x, importance);
    fit_freely();
    factor_ = round_factor(choose_factor());
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round < effort_.n_rounds; ++round) {
      const double error = fit_codes();
      if (!(error < least)) break;
      least = error;
      best_fits_ = fits_;
      best_codes_ = codes_;
      best_factor_ = factor_;
      factor_ = round_factor(fitted_factor());
      if (factor_ == best_factor_) break;
    }
    if (error_change(factor_) < 0) best_factor_ = factor_;
    store(dst);
    keep_own_numbers(x, dst);
  }

 private:
  /// Numbers that were decoded before come out the same, whatever the starts.
  void keep_own_numbers(const float* x, std::uint8_t* dst) noexcept {
    const auto factors = own_factors(grid_, cells_.levels(), x_.data(), n_);
    if (factors.empty() || holds(x, dst)) return;
    const std::vector<std::uint8_t> found(dst, dst + format_.row_bytes(n_));
    for (const OwnFactor& own : factors) {
      factor_ = round_factor(own.factor);
      std::copy(own.scale.begin(), own.scale.end(), wanted_.begin());
      fit_codes();
      best_fits_ = fits_;
      best_codes_ = codes_;
      best_factor_ = factor_;
      store(dst);
      if (holds(x, dst)) return;
    }
    std::copy(found.begin(), found.end(), dst);
  }

  [[nodiscard]] bool holds(const float* x, const std::uint8_t* bytes) const noexcept {
    std::vector<float> back(n_);
    format_.decode(bytes, back.data(), n_);
    return std::equal(back.begin(), back.end(), x);
  }

  /// Numbers near 1 and weights of at most 1, so that no sum leaves the range of binary32. What a row lacks
  /// of its last block counts nothing.
  void load(const float* x, const float* importance) noexcept {
    float largest = 0;
    for (std::size_t i = 0; i < n_; ++i) largest = std::max(largest, std::fabs(x[i]));
    exponent_ = largest > 0 ? std::ilogb(largest) : 0;
    const double unit = std::ldexp(1.0, -exponent_);  // in binary64: of tiny numbers it is beyond binary32
    for (std::size_t i = 0; i < n_; ++i) x_[i] = static_cast<float>(x[i] * unit);
    std::fill(x_.begin() + static_cast<std::ptrdiff_t>(n_), x_.end(), 0.0F);
    std::fill(w_.begin(), w_.end(), 0.0F);
    const float heaviest = importance == nullptr ? 0.0F : *std::max_element(importance, importance + n_);
    if (!(heaviest > 0)) {
      std::fill_n(w_.begin(), n_, 1.0F);
      return;
    }
    const double unit_weight = std::ldexp(1.0, -std::ilogb(heaviest));
    // A group without weight is still fitted to its numbers.
    for (std::size_t i = 0; i < n_; ++i) w_[i] = static_cast<float>(importance[i] * unit_weight) + 0x1p-20F;
  }

  /// Fills in the fits of all trials, with the better direction of each shift.
  void fit_trials() noexcept {
    const std::size_t n_directions = grid_.shift == 0 ? 1 : 2;
    const std::size_t per_trial = grid_.group_cells * n_directions;
    queries_.clear();
    for (const Trial& trial : trials_)
      for (std::size_t direction = 0; direction < n_directions; ++direction)
        for (std::size_t c = 0; c < grid_.group_cells; ++c) {
          const std::size_t at = trial.group * group_size_ + c * kCell;
          queries_.push_back({&x_[at], &w_[at], trial.scale, direction == 1});
        }
    answers_.resize(queries_.size());
    cells_.nearest(queries_, effort_.n_flips, answers_.data());
    const CellAnswer* answers = answers_.data();
    for (Trial& trial : trials_) {
      trial.fit = {};
      for (std::size_t c = 0; c < grid_.group_cells; c += grid_.shift_cells) {
        const CellAnswer* up = answers + c;
        const CellAnswer* down = up + grid_.group_cells;
        add(n_directions == 2 && error_of(down) < error_of(up) ? down : up, c, trial.fit);
      }
      answers += per_trial;
    }
  }

  /// Of cells that share a shift.
  [[nodiscard]] double error_of(const CellAnswer* cells) const noexcept {
    double error = 0;
    for (std::size_t c = 0; c < grid_.shift_cells; ++c) error += cells[c].error;
    return error;
  }

  void add(const CellAnswer* cells, std::size_t first, GroupFit& fit) const noexcept {
    for (std::size_t c = 0; c < grid_.shift_cells; ++c) {
      fit.error += cells[c].error;
      fit.xv += cells[c].xv;
      fit.vv += cells[c].vv;
      fit.cells[first + c] = cells[c].code;
    }
  }

  /// Calls add_trials(g) for all groups, some at a time, and then take(trial) for each trial.
  template <class AddTrials, class Take>
  void for_all_groups(const AddTrials& add_trials, const Take& take) noexcept {
    constexpr std::size_t kAtOnce = 16;
    for (std::size_t first = 0; first < n_groups_; first += kAtOnce) {
      trials_.clear();
      for (std::size_t g = first; g < std::min(n_groups_, first + kAtOnce); ++g) add_trials(g);
      fit_trials();
      for (const Trial& trial : trials_) take(trial);
    }
  }

  /// The scale that each group would have if any could be stored.
  void fit_freely() noexcept {
    std::fill(wanted_.begin(), wanted_.end(), 0.0F);
    std::fill(fits_.begin(), fits_.end(), GroupFit{});
    for_all_groups(
        [this](std::size_t g) {
          const float usual = usual_scale(g);
          if (!(usual > 0)) return;
          for (const float start : effort_.starts) trials_.push_back({g, usual * start, 0, {}});
        },
        [this](const Trial& trial) {
          if (!(trial.fit.xv > 0)) return;
          // xv² / vv: how much of the error is gone at the fitted scale.
          const GroupFit& best = fits_[trial.group];
          if (trial.fit.xv * trial.fit.xv * best.vv <= best.xv * best.xv * trial.fit.vv && best.vv > 0)
            return;
          fits_[trial.group] = trial.fit;
          wanted_[trial.group] = static_cast<float>(trial.fit.xv / trial.fit.vv);
        });
  }

  /// With which the points would have the root mean square of the numbers.
  [[nodiscard]] float usual_scale(std::size_t g) const noexcept {
    double xx = 0;
    double ww = 0;
    for (std::size_t i = g * group_size_; i < (g + 1) * group_size_; ++i) {
      xx += static_cast<double>(w_[i]) * x_[i] * x_[i];
      ww += w_[i];
    }
    return xx > 0 ? static_cast<float>(std::sqrt(xx / ww)) / cells_.rms() : 0.0F;
  }

  [[nodiscard]] std::uint8_t nearest_multiplier(float wanted, float factor) const noexcept {
    const auto& multipliers = grid_.multipliers;
    std::size_t code = 0;
    while (code + 1 < multipliers.size() && factor * (multipliers[code] + multipliers[code + 1]) < 2 * wanted)
      ++code;
    return static_cast<std::uint8_t>(code);
  }

  /// The factor whose multiples lie nearest to the wanted scales.
  [[nodiscard]] float choose_factor() noexcept {
    for (std::size_t g = 0; g < n_groups_; ++g) weight_[g] = static_cast<float>(fits_[g].vv);
    const float largest = *std::max_element(wanted_.begin(), wanted_.end());
    const float first = largest / grid_.multipliers.back() * 0.9F;
    float best = first;
    float least = std::numeric_limits<float>::infinity();
    for (int step = 0; step < 32; ++step) {
      const float factor = first * (1.0F + 0.045F * static_cast<float>(step));
      const float cost = rounding_cost(wanted_.data(), weight_.data(), weight_.size(), factor,
                                       grid_.multipliers.data(), grid_.multipliers.size());
      if (!(cost < least)) continue;
      least = cost;
      best = factor;
    }
    return best;
  }

  /// By least squares, for the codes at hand.
  [[nodiscard]] float fitted_factor() const noexcept {
    double xv = 0;
    double vv = 0;
    for (std::size_t g = 0; g < n_groups_; ++g) {
      const double multiplier = grid_.multipliers[codes_[g]];
      xv += multiplier * fits_[g].xv;
      vv += multiplier * multiplier * fits_[g].vv;
    }
    return xv > 0 && vv > 0 ? static_cast<float>(xv / vv) : 0.0F;
  }

  /// What another factor adds to the error of the best codes.
  [[nodiscard]] double error_change(float factor) const noexcept {
    double change = 0;
    for (std::size_t g = 0; g < n_groups_; ++g) {
      const double before = double{grid_.multipliers[best_codes_[g]]} * best_factor_;
      const double after = double{grid_.multipliers[best_codes_[g]]} * factor;
      const GroupFit& fit = best_fits_[g];
      change += (after - before) * ((after + before) * fit.vv - 2 * fit.xv);
    }
    return change;
  }

  /// As it will be read back, in the units of x_.
  [[nodiscard]] float round_factor(float factor) const noexcept {
    // The largest number that a block can hold stays finite.
    const float reach = grid_.has_factor ? 1.0F : 1.01F * format_.row_scale->reach;
    const float wanted = std::min(std::ldexp(factor, exponent_), std::numeric_limits<float>::max() / reach);
    std::uint8_t bytes[kMaxBlockBytes] = {};
    const float stored = grid_.has_factor ? grid_.store(wanted, VectorCodes{}, bytes)
                                          : formats::store_row_scale(format_.row_scale->type, wanted, bytes);
    return std::ldexp(stored, -exponent_);
  }

  /// Each group's codes for the factor, trying the neighbours of its scale code; returns the error.
  double fit_codes() noexcept {
    for (GroupFit& fit : fits_) fit.error = std::numeric_limits<double>::infinity();
    for_all_groups(
        [this](std::size_t g) {
          const unsigned first = nearest_multiplier(wanted_[g] * (1 - effort_.spread), factor_);
          const unsigned last = nearest_multiplier(wanted_[g] * (1 + effort_.spread), factor_);
          for (unsigned code = first; code <= last; ++code)
            trials_.push_back({g, factor_ * grid_.multipliers[code], static_cast<std::uint8_t>(code), {}});
        },
        [this](const Trial& trial) {
          if (!(trial.fit.error < fits_[trial.group].error)) return;
          fits_[trial.group] = trial.fit;
          codes_[trial.group] = trial.code;
        });
    double error = 0;
    for (std::size_t g = 0; g < n_groups_; ++g) {
      error += fits_[g].error;
      if (fits_[g].xv > 0) wanted_[g] = static_cast<float>(fits_[g].xv / fits_[g].vv);
    }
    return error;
  }

  void store(std::uint8_t* dst) noexcept {
    factor_ = best_factor_;
    float factor = std::ldexp(best_factor_, exponent_);
    if (!grid_.has_factor) {
      formats::store_row_scale(format_.row_scale->type, factor, dst);
      dst += format_.header_bytes;
      factor = 1;
    }
    const std::size_t per_block = blocks_.block_size / group_size_;
    for (std::size_t first = 0; first < n_groups_; first += per_block, dst += blocks_.block_bytes) {
      VectorCodes codes{};
      for (std::size_t g = 0; g < per_block; ++g) {
        codes.scale[g] = best_codes_[first + g];
        for (std::size_t k = 0; k < grid_.group_cells; ++k) {
          const CellCode& cell = best_fits_[first + g].cells[k];
          const std::size_t c = g * grid_.group_cells + k;
          std::copy_n(cell.point, grid_.points_per_cell(), codes.point[c]);
          codes.negative[c] = cell.negative;
          codes.shift_down[c] = cell.shift_down;
        }
      }
      grid_.store(factor, codes, dst);
    }
  }

  static constexpr std::size_t kMaxBlockBytes = 512;

  const Format& format_;
  const Format& blocks_;
  const VectorGrid& grid_;
  const CellSearch& cells_;
  const Effort effort_;
  const std::size_t group_size_;
  const std::size_t n_;
  const std::size_t n_groups_;
  int exponent_ = 0;
  float factor_ = 0;
  float best_factor_ = 0;
  std::vector<float> x_;  // [n_groups, group_size]
  std::vector<float> w_;
  std::vector<float> wanted_;  // scale of each group, and zeros to fill up lanes
  std::vector<float> weight_;  // of an error of that scale
  std::vector<GroupFit> fits_;
  std::vector<std::uint8_t> codes_;  // of the scales
  std::vector<GroupFit> best_fits_;
  std::vector<std::uint8_t> best_codes_;
  std::vector<Trial> trials_;
  std::vector<CellQuery> queries_;
  std::vector<CellAnswer> answers_;
};

}  // namespace

bool has_vectors(const Format& format) noexcept {
  return block_format(format).vectors != nullptr;
}

void search_vectors(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                    std::size_t n, const QuantizeOptions& options) noexcept {
  if (format.row_scale != nullptr || n % format.block_size != 0) {
    FactorSearch(format, n, options).run(x, importance, dst);
    return;
  }
  FactorSearch search(format, format.block_size, options);
  for (std::size_t i = 0; i < n; i += format.block_size, dst += format.block_bytes)
    search.run(x + i, importance == nullptr ? nullptr : importance + i, dst);
}

}  // namespace kerf

#include "kerf/quantizers/feedback_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace kerf {
namespace {

/// d·M·dᵀ and, on the way, d·M.
float cost_of(const float* d, std::size_t n, MatrixView m, float* response) noexcept {
  float cost = 0;
  for (std::size_t i = 0; i < n; ++i) {
    response[i] = 0;
    for (std::size_t j = 0; j < n; ++j) response[i] += *m.from(i, j).at * d[j];
    cost += d[i] * response[i];
  }
  return cost;
}

/// A power of two with which this scale comes near 1; 0 for a scale of 0.
float inverse_unit_of(float scale) noexcept {
  return scale > 0 ? std::ldexp(1.0F, -std::ilogb(scale)) : 0.0F;
}

/// Whatever happens to a row of extreme numbers, what the codebook is asked for stays a number, and its
/// square.
float bounded(float x) noexcept {
  constexpr float kFar = 0x1p20F;  // as far beyond the codebook as makes no difference
  return x > -kFar ? (x < kFar ? x : kFar) : -kFar;
}

std::uint8_t nearest_multiplier(std::span<const float> multipliers, float wanted) noexcept {
  std::size_t code = 0;
  while (code + 1 < multipliers.size() && multipliers[code] + multipliers[code + 1] < 2 * wanted) ++code;
  return static_cast<std::uint8_t>(code);
}

}  // namespace

VectorRounder::VectorRounder(const Format& blocks, std::size_t n_cols, const QuantizeOptions& options)
    : PieceRounder(blocks, n_cols),
      grid_(*blocks.vectors),
      cells_(CellSearch::of(grid_)),
      options_(options),
      n_flips_(1 << std::clamp(options.effort - 1, 0, 3)),
      n_groups_(blocks.block_size / kCell / grid_.group_cells),
      n_cells_(blocks.block_size / kCell),
      codes_(n_blocks_ * kPieceRows),
      values_(n_blocks_ * blocks.block_size) {}

void VectorRounder::load_parameters(std::size_t b, std::size_t row) {
  BlockCodes& block_codes = at(b, row);
  VectorCodes stored;
  block_codes.factor = grid_.load(block(b, row), stored);
  std::copy_n(stored.scale, n_groups_, block_codes.codes.scale);
  // The direction that cells share is a parameter, too.
  if (grid_.shift_cells > 1) std::copy_n(stored.shift_down, n_cells_, block_codes.codes.shift_down);
}

void VectorRounder::choose_parameters(std::size_t b, const Column* x, const float* w) {
  if (!grid_.has_factor) return choose_multipliers(b, x, w);
  std::vector<float> numbers(blocks_.block_size);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = x[i][r];
    quantize_row(blocks_, numbers.data(), w, block(b, r), numbers.size(), options_);
    load_parameters(b, r);
  }
}

// The factor is the row's: what is left to choose are multipliers, outwards from those that there are for as
// long as it pays.
void VectorRounder::choose_multipliers(std::size_t b, const Column* x, const float* w) {
  if (grid_.multipliers.size() == 1) return;
  const int n_codes = static_cast<int>(grid_.multipliers.size());
  constexpr int kPatience = 2;  // steps without gain
  for (std::size_t g = 0; g < n_groups_; ++g) {
    const std::size_t first = g * grid_.group_cells * kCell;
    std::vector<MultiplierTrial> trials(kPieceRows);
    for (std::size_t r = 0; r < kPieceRows; ++r) trials[r] = {r, at(b, r).codes.scale[g], 0.0F};
    try_multipliers(b, x + first, w + first, trials);
    const std::vector<MultiplierTrial> start = trials;
    std::vector<MultiplierTrial> best = trials;
    for (const int direction : {1, -1}) {
      int patience[kPieceRows];
      std::fill_n(patience, kPieceRows, kPatience);
      trials = start;
      while (!trials.empty()) {
        for (MultiplierTrial& trial : trials) trial.code += direction;
        std::erase_if(trials, [&](const MultiplierTrial& t) {
          return t.code < 0 || t.code >= n_codes || patience[t.row] == 0;
        });
        try_multipliers(b, x + first, w + first, trials);
        for (const MultiplierTrial& trial : trials) {
          const bool better = trial.error < best[trial.row].error;
          patience[trial.row] = better ? kPatience : patience[trial.row] - 1;
          if (better) best[trial.row] = trial;
        }
      }
    }
    for (const MultiplierTrial& trial : best)
      at(b, trial.row).codes.scale[g] = static_cast<std::uint8_t>(trial.code);
  }
  for (std::size_t r = 0; r < kPieceRows; ++r) grid_.store(at(b, r).factor, at(b, r).codes, block(b, r));
}

/// What a group x with these multipliers leaves of rows, cell by cell.
void VectorRounder::try_multipliers(std::size_t b, const Column* x, const float* w,
                                    std::vector<MultiplierTrial>& trials) const {
  const std::size_t n_shifts = grid_.shift == 0 ? 1 : 2;
  const std::size_t n_cells = grid_.group_cells;
  std::vector<std::array<float, kCell>> numbers(trials.size() * n_cells);
  std::vector<CellQuery> queries(numbers.size() * n_shifts);
  std::vector<CellAnswer> answers(queries.size());
  for (std::size_t k = 0; k < trials.size(); ++k) {
    const float factor = at(b, trials[k].row).factor;
    const float inverse_unit = inverse_unit_of(factor);
    const float s = factor * inverse_unit * grid_.multipliers[static_cast<std::size_t>(trials[k].code)];
    for (std::size_t c = 0; c < n_cells; ++c) {
      float* cell = numbers[k * n_cells + c].data();
      for (std::size_t i = 0; i < kCell; ++i)
        cell[i] = bounded(x[c * kCell + i][trials[k].row] * inverse_unit);
      for (std::size_t shift = 0; shift < n_shifts; ++shift)
        queries[(k * n_cells + c) * n_shifts + shift] = {cell, w + c * kCell, s, shift == 1};
    }
  }
  cells_.nearest(queries, 1, answers.data());
  const CellAnswer* answer = answers.data();
  for (MultiplierTrial& trial : trials) {
    trial.error = 0;
    for (std::size_t c = 0; c < n_cells; ++c, answer += n_shifts)
      trial.error += n_shifts == 1 ? answer[0].error : std::min(answer[0].error, answer[1].error);
  }
}

void VectorRounder::parameters(std::size_t b, std::size_t row, BlockParameters& chosen) const {
  const BlockCodes& codes = at(b, row);
  for (std::size_t g = 0; g < n_groups_; ++g) {
    chosen.scale[g] = scale(codes, g);
    chosen.offset[g] = 0;
  }
}

// The factor that suits the wanted scales with the multipliers that there are, then multipliers for it.
void VectorRounder::set_parameters(std::size_t b, std::size_t row, BlockParameters& wanted) {
  BlockCodes& codes = at(b, row);
  const auto fitted_factor = [&] {
    double mw = 0;
    double mm = 0;
    for (std::size_t g = 0; g < n_groups_; ++g) {
      const double multiplier = grid_.multipliers[codes.codes.scale[g]];
      mw += multiplier * wanted.scale[g];
      mm += multiplier * multiplier;
    }
    return static_cast<float>(std::max(mw / mm, 0.0));
  };
  float factor = grid_.has_factor ? fitted_factor() : codes.factor;
  for (std::size_t g = 0; g < n_groups_ && factor > 0; ++g)
    codes.codes.scale[g] = nearest_multiplier(grid_.multipliers, wanted.scale[g] / factor);
  if (grid_.has_factor) factor = fitted_factor();
  codes.factor = grid_.store(factor, codes.codes, block(b, row));
  parameters(b, row, wanted);
}

void VectorRounder::load_targets(std::size_t u, const Column* x, std::size_t n) noexcept {
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    Wanted& wanted = wanted_[r];
    const float s = scale(at(u / n_cells_, r), u % n_cells_ / grid_.group_cells);
    wanted.inverse_unit = inverse_unit_of(s);
    wanted.scale = s * wanted.inverse_unit;
    for (std::size_t i = 0; i < kCell; ++i)
      wanted.x[i] = i < n ? bounded(x[i][r] * wanted.inverse_unit) : 0.0F;
  }
}

/// The best codes for near[] of all rows under these weights.
void VectorRounder::ask(std::size_t u, const float* w, CellAnswer* best) const noexcept {
  const bool free_shift = grid_.shift != 0 && grid_.shift_cells == 1;
  const std::size_t per_row = free_shift ? 2 : 1;
  CellQuery queries[2 * kPieceRows];
  CellAnswer answers[2 * kPieceRows];
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    const bool down = at(u / n_cells_, r).codes.shift_down[u % n_cells_] != 0;
    for (std::size_t k = 0; k < per_row; ++k)
      queries[r * per_row + k] = {wanted_[r].near, w, wanted_[r].scale, free_shift ? k == 1 : down};
  }
  cells_.nearest({queries, kPieceRows * per_row}, n_flips_, answers);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    const CellAnswer* answer = &answers[r * per_row];
    best[r] = free_shift && answer[1].error < answer[0].error ? answer[1] : answer[0];
  }
}

void VectorRounder::take(std::size_t u, std::size_t row, const CellAnswer& answer, std::size_t n,
                         Column* back) noexcept {
  const std::size_t c = u % n_cells_;
  BlockCodes& block = at(u / n_cells_, row);
  std::copy_n(answer.code.point, grid_.points_per_cell(), block.codes.point[c]);
  block.codes.negative[c] = answer.code.negative;
  block.codes.shift_down[c] = answer.code.shift_down;
  const float s = scale(block, c / grid_.group_cells);
  for (std::size_t i = 0; i < kCell; ++i) values_[u * kCell + i][row] = answer.value[i];
  for (std::size_t i = 0; i < n; ++i) back[i][row] = s * answer.value[i];
}

void VectorRounder::round(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) {
  load_targets(u, x, n);
  float diagonal[kCell] = {};
  for (std::size_t i = 0; i < n; ++i) diagonal[i] = *m.from(i, i).at;
  for (Wanted& wanted : wanted_) std::copy_n(wanted.x, kCell, wanted.near);
  CellAnswer answers[kPieceRows];
  ask(u, diagonal, answers);
  for (std::size_t r = 0; r < kPieceRows; ++r) take(u, r, answers[r], n, back);
  step(u, n, m, back);
}

void VectorRounder::improve(std::size_t u, const Column* x, std::size_t n, MatrixView m, Column* back) {
  load_targets(u, x, n);
  step(u, n, m, back);
}

// The codebook is searched under a diagonal metric D. With D − M positive semidefinite, q' costs no more than
// q under M if it costs no more than q under D as a code for q + (x − q)·M·D⁻¹: the sums of the magnitudes of
// M's rows make such a D.
void VectorRounder::step(std::size_t u, std::size_t n, MatrixView m, Column* back) {
  float bound[kCell] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) bound[i] += std::fabs(*m.from(i, j).at);
  float cost[kPieceRows];
  float d[kCell];
  float response[kCell];
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    Wanted& wanted = wanted_[r];
    for (std::size_t i = 0; i < n; ++i) d[i] = wanted.x[i] - back[i][r] * wanted.inverse_unit;
    cost[r] = cost_of(d, n, m, response);
    for (std::size_t i = 0; i < kCell; ++i)
      wanted.near[i] = i < n ? bounded(back[i][r] * wanted.inverse_unit + response[i] / bound[i]) : 0.0F;
  }
  CellAnswer answers[kPieceRows];
  ask(u, bound, answers);
  for (std::size_t r = 0; r < kPieceRows; ++r) {
    for (std::size_t i = 0; i < n; ++i) d[i] = wanted_[r].x[i] - wanted_[r].scale * answers[r].value[i];
    if (cost_of(d, n, m, response) < cost[r]) take(u, r, answers[r], n, back);
  }
}

void VectorRounder::basis(std::size_t b, Column* values) const {
  std::copy_n(&values_[b * blocks_.block_size], blocks_.block_size, values);
}

void VectorRounder::store(std::size_t row, std::uint8_t* dst) const {
  for (std::size_t b = 0; b < n_blocks_; ++b, dst += blocks_.block_bytes) {
    const BlockCodes& codes = at(b, row);
    grid_.store(codes.factor, codes.codes, dst);
  }
}

}  // namespace kerf

#include "kerf/quantizers/cell_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <tuple>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

constexpr std::size_t kCell = VectorGrid::kCell;
constexpr float kHuge = std::numeric_limits<float>::max() / 64;

unsigned parity(unsigned bits) noexcept {
  return static_cast<unsigned>(std::popcount(bits)) & 1U;
}

KERF_INLINE float sum_of(const Eight& a) noexcept {
  Lanes v;
  a.store(v);
  return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/// The sums of an answer whose values are there.
KERF_CLONES void measure(const CellQuery& query, CellAnswer& answer) noexcept {
  const Eight x = Eight::load(query.x);
  const Eight w = Eight::load(query.w);
  const Eight value = Eight::load(answer.value);
  const Eight difference = x - Eight::all(query.scale) * value;
  const Eight wv = w * value;
  answer.error = sum_of(w * difference * difference);
  answer.xv = sum_of(wv * x);
  answer.vv = sum_of(wv * value);
}

/// costs.of[k][i] = w[i] (target[i] − scale · level[k])², eight targets at once.
KERF_CLONES void fill_costs(const Lanes* target, const Lanes* w, const Lanes& scale, const float* level,
                            std::size_t n_levels, LevelCosts& costs) noexcept {
  for (std::size_t k = 0; k < n_levels; ++k) {
    const Eight scaled = Eight::load(scale) * Eight::all(level[k]);
    for (std::size_t i = 0; i < kCell; ++i) {
      const Eight difference = Eight::load(target[i]) - scaled;
      (Eight::load(w[i]) * difference * difference).store(costs.of[k][i]);
    }
  }
}

}  // namespace

/// A query put to one class of points. Where signs are stored apart, magnitudes are matched with sizes; a
/// number that gives up its sign is matched as −size.
struct CellSearch::Probe {
  const CellQuery* query;
  CellAnswer* answer;
  float size[kCell];
  unsigned negative;  ///< numbers below zero
  bool flips;         ///< one number has to take the wrong sign
};

struct CellSearch::Probes {
  unsigned parity;  ///< of the points' coordinates below zero
  std::size_t n = 0;
  Probe probe[kLanes] = {};
  Lanes target[kCell] = {};
  Lanes w[kCell] = {};
  Lanes scale = {};
};

CellSearch::CellSearch(const VectorGrid& grid) : grid_(grid) {
  const std::size_t n = std::size_t{grid.n_points} * grid.width;
  const bool magnitudes = grid.signs != VectorGrid::Signs::none;
  std::vector<int> levels;
  double square = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const int coordinate = grid.points[i];
    coordinates_.push_back(static_cast<float>(coordinate));
    levels.push_back(magnitudes ? std::abs(coordinate) : coordinate);
    square += static_cast<double>(coordinate) * coordinate;
  }
  rms_ = static_cast<float>(std::sqrt(square / static_cast<double>(n)));
  const std::vector<int> level_of = levels;
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  n_levels_ = levels.size();
  std::copy(levels.begin(), levels.end(), level_);

  std::vector<std::uint8_t> of_class[2];
  std::vector<std::uint16_t> indices[2];
  for (std::uint32_t p = 0; p < grid.n_points; ++p) {
    const std::int8_t* point = grid.points + p * grid.width;
    const auto n_negative = std::count_if(point, point + grid.width, [](int v) { return v < 0; });
    const std::size_t c = grid.signs == VectorGrid::Signs::even ? n_negative % 2 : 0;
    for (std::uint32_t i = 0; i < grid.width; ++i)
      of_class[c].push_back(static_cast<std::uint8_t>(
          std::lower_bound(levels.begin(), levels.end(), level_of[p * grid.width + i]) - levels.begin()));
    indices[c].push_back(static_cast<std::uint16_t>(p));
  }
  for (std::size_t c = 0; c < 2; ++c)
    classes_.emplace_back(grid.width, static_cast<std::uint32_t>(n_levels_), of_class[c], indices[c]);
}

const CellSearch& CellSearch::of(const VectorGrid& grid) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<CellSearch>> made;
  const std::lock_guard lock(mutex);
  for (const auto& search : made)
    if (&search->grid_ == &grid) return *search;
  return *made.emplace_back(std::make_unique<CellSearch>(grid));
}

bool CellSearch::has_class(std::size_t parity) const noexcept {
  if (grid_.width == 8) return !classes_[parity].empty();
  return parity == 0 || (!classes_[0].empty() && !classes_[1].empty());
}

void CellSearch::nearest(std::span<const CellQuery> queries, int n_flips,
                         CellAnswer* answers) const noexcept {
  Probes probes[2] = {{.parity = 0}, {.parity = 1}};
  for (std::size_t q = 0; q < queries.size(); ++q) {
    answers[q] = {};
    answers[q].error = std::numeric_limits<float>::infinity();
    put(queries[q], n_flips, probes, answers[q]);
  }
  search(probes[0]);
  search(probes[1]);
}

void CellSearch::put(const CellQuery& query, int n_flips, Probes* probes, CellAnswer& answer) const noexcept {
  Probe probe{.query = &query, .answer = &answer, .size = {}, .negative = 0, .flips = false};
  const float offset = query.scale * (query.shift_down ? -grid_.shift : grid_.shift);
  for (std::size_t i = 0; i < kCell; ++i) probe.size[i] = query.x[i] - offset;
  if (grid_.signs == VectorGrid::Signs::none) return add(probe, kCell, probes[0]);
  for (std::size_t i = 0; i < kCell; ++i) {
    probe.negative |= static_cast<unsigned>(probe.size[i] < 0) << i;
    probe.size[i] = std::fabs(probe.size[i]);
  }
  if (grid_.signs == VectorGrid::Signs::any) return add(probe, kCell, probes[0]);

  const unsigned wanted = parity(probe.negative);
  if (has_class(wanted)) add(probe, kCell, probes[wanted]);
  if (!has_class(1 - wanted)) return;
  probe.flips = true;
  float loss[kCell];
  for (std::size_t i = 0; i < kCell; ++i) loss[i] = query.w[i] * probe.size[i];
  for (int flip = 0; flip < n_flips; ++flip) {
    const auto i = static_cast<std::size_t>(std::min_element(loss, loss + kCell) - loss);
    loss[i] = std::numeric_limits<float>::infinity();
    add(probe, i, probes[1 - wanted]);
  }
}

void CellSearch::add(const Probe& probe, std::size_t flipped, Probes& probes) const noexcept {
  const std::size_t k = probes.n++;
  probes.probe[k] = probe;
  probes.scale[k] = probe.query->scale;
  for (std::size_t i = 0; i < kCell; ++i) {
    probes.target[i][k] = i == flipped ? -probe.size[i] : probe.size[i];
    probes.w[i][k] = probe.query->w[i];
  }
  if (probes.n == kLanes) search(probes);
}

void CellSearch::search(Probes& probes) const noexcept {
  if (probes.n == 0) return;
  LevelCosts costs;
  fill_costs(probes.target, probes.w, probes.scale, level_, n_levels_, costs);
  for (std::size_t k = n_levels_; k < classes_[0].table_levels(); ++k)
    std::fill_n(&costs.of[k][0][0], kCell * kLanes, kHuge);
  CellCode codes[kLanes] = {};
  grid_.width == 8 ? find_points(costs, probes.parity, codes) : find_pairs(costs, probes.parity, codes);
  for (std::size_t k = 0; k < probes.n; ++k) finish(probes.probe[k], codes[k]);
  probes.n = 0;
}

void CellSearch::find_points(const LevelCosts& costs, unsigned parity, CellCode* codes) const noexcept {
  FoundPoints found;
  classes_[parity].nearest(costs, 0, found);
  for (std::size_t k = 0; k < kLanes; ++k) codes[k].point[0] = found.index[k];
}

void CellSearch::find_pairs(const LevelCosts& costs, unsigned parity, CellCode* codes) const noexcept {
  FoundPoints found[2][2];  // [point of the cell][its class]
  for (std::size_t p = 0; p < 2; ++p)
    for (std::size_t c = 0; c < 2; ++c)
      if (!classes_[c].empty()) classes_[c].nearest(costs, p * 4, found[p][c]);
  for (std::size_t k = 0; k < kLanes; ++k) {
    float least = std::numeric_limits<float>::infinity();
    for (unsigned c = 0; c < 2; ++c) {
      const unsigned other = c ^ parity;
      if (classes_[c].empty() || classes_[other].empty()) continue;
      const float cost = found[0][c].cost[k] + found[1][other].cost[k];
      if (!(cost < least)) continue;
      least = cost;
      codes[k].point[0] = found[0][c].index[k];
      codes[k].point[1] = found[1][other].index[k];
    }
  }
}

void CellSearch::finish(const Probe& probe, const CellCode& found) const noexcept {
  CellAnswer answer;
  answer.code = found;
  float coordinate[kCell];
  for (std::size_t p = 0; p < grid_.points_per_cell(); ++p)
    std::copy_n(&coordinates_[std::size_t{found.point[p]} * grid_.width], grid_.width,
                coordinate + p * grid_.width);
  unsigned negative = probe.negative;
  if (probe.flips) {
    // (a + s·m)² − (a − s·m)² = 4·a·s·m
    float extra[kCell];
    for (std::size_t i = 0; i < kCell; ++i)
      extra[i] = probe.query->w[i] * probe.size[i] * std::fabs(coordinate[i]);
    negative ^= 1U << (std::min_element(extra, extra + kCell) - extra);
  }
  unsigned changed = 0;
  if (grid_.signs != VectorGrid::Signs::none)
    for (std::size_t i = 0; i < kCell; ++i)
      changed |= ((negative >> i & 1U) ^ static_cast<unsigned>(coordinate[i] < 0)) << i;
  answer.code.negative = static_cast<std::uint8_t>(changed);
  answer.code.shift_down = probe.query->shift_down ? 1 : 0;
  const float shift = probe.query->shift_down ? -grid_.shift : grid_.shift;
  for (std::size_t i = 0; i < kCell; ++i)
    answer.value[i] = ((changed >> i & 1U) != 0 ? -coordinate[i] : coordinate[i]) + shift;
  measure(*probe.query, answer);
  // Of equals always the same one: which is finished first depends on the other queries.
  const auto rank = [](const CellAnswer& a) {
    return std::tuple(a.error, a.code.point[0], a.code.point[1], a.code.negative);
  };
  if (rank(answer) < rank(*probe.answer)) *probe.answer = answer;
}

}  // namespace kerf

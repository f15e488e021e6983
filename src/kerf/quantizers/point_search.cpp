#include "kerf/quantizers/point_search.h"

#include <algorithm>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"

namespace kerf {
namespace {

constexpr float kHuge = std::numeric_limits<float>::max() / 64;
constexpr std::size_t kWorthSkipping = 10;  // points in a list

/// sums[a · kSecond + b] = first[a] + second[b]
template <std::size_t kFirst, std::size_t kSecond>
KERF_INLINE void add_all(const Eight* first, const Eight* second, Eight* sums) noexcept {
  for (std::size_t a = 0; a < kFirst; ++a)
    for (std::size_t b = 0; b < kSecond; ++b) sums[a * kSecond + b] = first[a] + second[b];
}

template <std::size_t kLevels>
KERF_INLINE void pair_costs(const LevelCosts& costs, std::size_t i, Eight* sums) noexcept {
  Eight first[kLevels];
  Eight second[kLevels];
  for (std::size_t k = 0; k < kLevels; ++k) {
    first[k] = Eight::load(costs.of[k][i]);
    second[k] = Eight::load(costs.of[k][i + 1]);
  }
  add_all<kLevels, kLevels>(first, second, sums);
}

/// The costs of all kLevels^(kWidth / 2) halves that begin with number i.
template <std::size_t kLevels, std::size_t kWidth>
KERF_INLINE void half_costs(const LevelCosts& costs, std::size_t i, Eight* sums) noexcept {
  constexpr std::size_t kPairs = kLevels * kLevels;
  if constexpr (kWidth == 4) {
    pair_costs<kLevels>(costs, i, sums);
  } else {
    Eight first[kPairs];
    Eight second[kPairs];
    pair_costs<kLevels>(costs, i, first);
    pair_costs<kLevels>(costs, i + 2, second);
    add_all<kPairs, kPairs>(first, second, sums);
  }
}

/// The sum of what the levels of least cost cost.
template <std::size_t kLevels>
KERF_INLINE Eight least_cost(const LevelCosts& costs, std::size_t first, std::size_t n) noexcept {
  Eight sum = Eight::zero();
  for (std::size_t i = first; i < first + n; ++i) {
    Eight least = Eight::load(costs.of[0][i]);
    for (std::size_t k = 1; k < kLevels; ++k) least = smaller(least, Eight::load(costs.of[k][i]));
    sum += least;
  }
  return sum;
}

KERF_INLINE bool any_not_greater(const Eight& a, const Eight& b) noexcept {
  const Eight::Bits found = a.v <= b.v;
  std::uint64_t words[4];
  std::memcpy(words, &found, sizeof words);
  return ((words[0] | words[1]) | (words[2] | words[3])) != 0;
}

std::uint32_t half_code(std::span<const std::uint8_t> levels, std::uint32_t n_levels) {
  std::uint32_t code = 0;
  for (const std::uint8_t level : levels) code = code * n_levels + level;
  return code;
}

}  // namespace

PointSearch::PointSearch(std::uint32_t width, std::uint32_t n_levels, std::span<const std::uint8_t> levels,
                         std::span<const std::uint16_t> indices)
    : width_(width), n_levels_(width == 4 ? 8 : std::max(3U, n_levels)) {
  KERF_CHECK(n_levels <= n_levels_ && n_levels_ <= (width == 4 ? 8 : 4));
  const std::uint32_t half = width / 2;
  struct Point {
    std::uint32_t first, second;
    std::uint16_t index;
  };
  std::vector<Point> points;
  for (std::size_t p = 0; p < indices.size(); ++p)
    points.push_back({half_code(levels.subspan(p * width, half), n_levels_),
                      half_code(levels.subspan(p * width + half, half), n_levels_), indices[p]});
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.first < b.first; });
  for (const Point& point : points) {
    if (lists_.empty() || lists_.back().first_half != point.first) add_list(point.first);
    second_.push_back(static_cast<std::uint16_t>(point.second));
    index_.push_back(point.index);
  }
  add_list(0);
}

void PointSearch::add_list(std::size_t first_half) {
  List list{.number = {}, .first_half = first_half, .begin = index_.size()};
  std::fill_n(list.number, kLanes, static_cast<float>(lists_.size()));
  lists_.push_back(list);
}

template <std::size_t kLevels, std::size_t kWidth>
KERF_INLINE void PointSearch::search(const LevelCosts& costs, std::size_t first,
                                     FoundPoints& found) const noexcept {
  constexpr std::size_t kHalves = kWidth == 4 ? kLevels * kLevels : kLevels * kLevels * kLevels * kLevels;
  Eight first_cost[kHalves];
  Eight second_cost[kHalves];
  half_costs<kLevels, kWidth>(costs, first, first_cost);
  half_costs<kLevels, kWidth>(costs, first + kWidth / 2, second_cost);
  const Eight cheapest_second = least_cost<kLevels>(costs, first + kWidth / 2, kWidth / 2);

  Eight best = Eight::all(kHuge);
  Eight best_list = Eight::zero();  // whole numbers
  const auto scan = [&](const List& list, std::size_t end) KERF_INLINE_LAMBDA {
    Eight least = Eight::all(kHuge);
    for (std::size_t p = list.begin; p < end; ++p) least = smaller(second_cost[second_[p]], least);
    const Eight cost = first_cost[list.first_half] + least;
    // Of equals the first in the order of lists, in whatever order they are scanned.
    const Eight number = Eight::load(list.number);
    const Eight if_equal = where_greater(cost, best, best_list, smaller(number, best_list));
    best_list = where_greater(best, cost, number, if_equal);
    best = smaller(cost, best);
  };

  const std::size_t n_lists = lists_.size() - 1;
  Lanes chosen;
  // Of short lists, asking whether to skip one costs more than going through it.
  if (index_.size() < kWorthSkipping * n_lists) {
    for (std::size_t l = 0; l < n_lists; ++l) scan(lists_[l], lists_[l + 1].begin);
  } else {
    // The lists of the cheapest first halves give bounds that rule out most of the others.
    Eight least = first_cost[lists_[0].first_half];
    Eight cheapest = Eight::zero();
    for (std::size_t l = 1; l < n_lists; ++l) {
      const Eight cost = first_cost[lists_[l].first_half];
      cheapest = where_greater(least, cost, Eight::load(lists_[l].number), cheapest);
      least = smaller(cost, least);
    }
    cheapest.store(chosen);
    for (std::size_t k = 0; k < kLanes; ++k) {
      const auto l = static_cast<std::size_t>(chosen[k]);
      if (k == 0 || chosen[k] != chosen[k - 1]) scan(lists_[l], lists_[l + 1].begin);
    }
    for (std::size_t l = 0; l < n_lists; ++l)
      if (any_not_greater(first_cost[lists_[l].first_half] + cheapest_second, best))
        scan(lists_[l], lists_[l + 1].begin);
  }

  best.store(found.cost);
  best_list.store(chosen);
  for (std::size_t k = 0; k < kLanes; ++k) {
    const List& list = lists_[static_cast<std::size_t>(chosen[k])];
    const auto cost_of = [&](std::size_t p) KERF_INLINE_LAMBDA {
      return first_cost[list.first_half].v[k] + second_cost[second_[p]].v[k];
    };
    std::size_t p = list.begin;
    while (cost_of(p) != found.cost[k]) ++p;
    found.index[k] = index_[p];
  }
}

// Aligned, because their loops lose up to a tenth where code before them happens to shift them.
[[gnu::aligned(64)]] KERF_CLONES void PointSearch::search_8_of_3(const LevelCosts& costs,
                                                                 FoundPoints& found) const noexcept {
  search<3, 8>(costs, 0, found);
}
[[gnu::aligned(64)]] KERF_CLONES void PointSearch::search_8_of_4(const LevelCosts& costs,
                                                                 FoundPoints& found) const noexcept {
  search<4, 8>(costs, 0, found);
}
[[gnu::aligned(64)]] KERF_CLONES void PointSearch::search_4_of_8(const LevelCosts& costs, std::size_t first,
                                                                 FoundPoints& found) const noexcept {
  search<8, 4>(costs, first, found);
}

void PointSearch::nearest(const LevelCosts& costs, std::size_t first, FoundPoints& found) const noexcept {
  if (width_ == 4)
    search_4_of_8(costs, first, found);
  else if (n_levels_ == 3)
    search_8_of_3(costs, found);
  else
    search_8_of_4(costs, found);
}

}  // namespace kerf

#include "kerf/methods/allocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "kerf/base/check.h"

namespace kerf {
namespace {

constexpr std::uint64_t kMostSteps = 1U << 16;

/// Indices of the options that no other one beats in both bytes and loss, from small to large.
std::vector<std::size_t> frontier(const std::vector<Option>& options) {
  std::vector<std::size_t> order(options.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return options[a].bytes != options[b].bytes ? options[a].bytes < options[b].bytes
                                                : options[a].loss < options[b].loss;
  });
  std::vector<std::size_t> kept;
  for (const std::size_t i : order)
    if (kept.empty() || options[i].loss < options[kept.back()].loss) kept.push_back(i);
  return kept;
}

class Knapsack {
 public:
  Knapsack(const std::vector<std::vector<Option>>& items, std::uint64_t budget)
      : items_(items), budget_(budget) {
    for (const auto& options : items) {
      frontiers_.push_back(frontier(options));
      least_bytes_ += options[frontiers_.back().front()].bytes;
    }
  }

  [[nodiscard]] std::uint64_t least_bytes() const noexcept { return least_bytes_; }

  Allocation solve() {
    Allocation result;
    result.chosen = dynamic_programme();
    spend_rest(result.chosen);
    sum_up(result);
    result.lower_bound = std::min(dual_bound(), result.loss);
    return result;
  }

 private:
  [[nodiscard]] const Option& option(std::size_t item, std::size_t place) const {
    return items_[item][frontiers_[item][place]];
  }

  /// Bytes above the smallest option, in steps, rounded up.
  [[nodiscard]] std::uint64_t steps(std::size_t item, std::size_t place) const {
    return (option(item, place).bytes - option(item, 0).bytes + step_ - 1) / step_;
  }

  void choose_step() {
    std::uint64_t divisor = 0;
    for (std::size_t i = 0; i < items_.size(); ++i)
      for (std::size_t k = 1; k < frontiers_[i].size(); ++k)
        divisor = std::gcd(divisor, option(i, k).bytes - option(i, 0).bytes);
    const std::uint64_t spare = budget_ - least_bytes_;
    step_ = std::max<std::uint64_t>(1, divisor);
    if (spare / step_ > kMostSteps) step_ = spare / kMostSteps + 1;
  }

  /// Places on the frontiers. best[s]: the least loss of the items so far with s steps above the smallest.
  std::vector<std::size_t> dynamic_programme() {
    choose_step();
    const std::size_t n_steps = (budget_ - least_bytes_) / step_ + 1;
    constexpr double kNever = std::numeric_limits<double>::infinity();
    std::vector<double> best(n_steps, kNever), next(n_steps);
    best[0] = 0;
    std::vector<std::vector<std::uint16_t>> taken(items_.size(), std::vector<std::uint16_t>(n_steps));
    for (std::size_t i = 0; i < items_.size(); ++i) {
      std::fill(next.begin(), next.end(), kNever);
      for (std::size_t k = 0; k < frontiers_[i].size(); ++k) {
        const std::uint64_t more = steps(i, k);
        const double loss = option(i, k).loss;
        for (std::size_t s = more; s < n_steps; ++s)
          if (best[s - more] + loss < next[s]) {
            next[s] = best[s - more] + loss;
            taken[i][s] = static_cast<std::uint16_t>(k);
          }
      }
      best.swap(next);
    }
    auto s = static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin());
    std::vector<std::size_t> places(items_.size());
    for (std::size_t i = items_.size(); i-- > 0;) {
      places[i] = taken[i][s];
      s -= steps(i, places[i]);
    }
    return places;
  }

  /// Single upgrades with what the rounding of sizes left over, the best bargain first.
  void spend_rest(std::vector<std::size_t>& places) const {
    std::uint64_t spare = budget_;
    for (std::size_t i = 0; i < items_.size(); ++i) spare -= option(i, places[i]).bytes;
    for (;;) {
      double best_rate = 0;
      std::size_t item = 0, place = 0;
      for (std::size_t i = 0; i < items_.size(); ++i)
        for (std::size_t k = places[i] + 1; k < frontiers_[i].size(); ++k) {
          const std::uint64_t more = option(i, k).bytes - option(i, places[i]).bytes;
          if (more > spare) break;
          const double rate = (option(i, places[i]).loss - option(i, k).loss) / static_cast<double>(more);
          if (rate > best_rate) {
            best_rate = rate;
            item = i;
            place = k;
          }
        }
      if (best_rate <= 0) return;
      spare -= option(item, place).bytes - option(item, places[item]).bytes;
      places[item] = place;
    }
  }

  void sum_up(Allocation& result) const {
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const Option& taken = option(i, result.chosen[i]);
      result.bytes += taken.bytes;
      result.loss += taken.loss;
      result.chosen[i] = frontiers_[i][result.chosen[i]];
    }
  }

  /// Σ min(loss + λ·bytes) − λ·budget, and whether the minimum overdraws the budget.
  double lagrangian(double price, bool& overdrawn) const {
    double sum = -price * static_cast<double>(budget_);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      double least = std::numeric_limits<double>::infinity();
      std::uint64_t of_least = 0;
      for (std::size_t k = 0; k < frontiers_[i].size(); ++k) {
        const double cost = option(i, k).loss + price * static_cast<double>(option(i, k).bytes);
        if (cost < least) {
          least = cost;
          of_least = option(i, k).bytes;
        }
      }
      sum += least;
      bytes += of_least;
    }
    overdrawn = bytes > budget_;
    return sum;
  }

  /// The dual is concave in the price and its slope is bytes − budget: bisection for where that changes sign.
  double dual_bound() const {
    bool overdrawn = false;
    double bound = lagrangian(0, overdrawn);
    if (!overdrawn) return bound;
    double low = 0, high = 1e-12;
    while (bound = std::max(bound, lagrangian(high, overdrawn)), overdrawn && high < 1e12) {
      low = high;
      high *= 4;
    }
    for (int i = 0; i < 60; ++i) {
      const double middle = 0.5 * (low + high);
      bound = std::max(bound, lagrangian(middle, overdrawn));
      (overdrawn ? low : high) = middle;
    }
    return bound;
  }

  const std::vector<std::vector<Option>>& items_;
  std::uint64_t budget_;
  std::vector<std::vector<std::size_t>> frontiers_;
  std::uint64_t least_bytes_ = 0;
  std::uint64_t step_ = 1;
};

}  // namespace

Result<Allocation> allocate(const std::vector<std::vector<Option>>& items, std::uint64_t budget) {
  for (const auto& options : items) KERF_CHECK(!options.empty() && options.size() < 65536);
  Knapsack knapsack(items, budget);
  if (knapsack.least_bytes() > budget)
    return fail(
        ErrorKind::usage, "",
        fmt::format("{} bytes are too few: the smallest formats need {}", budget, knapsack.least_bytes()));
  return knapsack.solve();
}

}  // namespace kerf

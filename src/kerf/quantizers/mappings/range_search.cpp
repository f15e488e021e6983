#include "kerf/quantizers/mappings/range_search.h"

#include <algorithm>
#include <cmath>

namespace kerf::mapping_grid {
namespace {

double power_of(double error, double power) noexcept {
  return power == 2.0 ? error * error : std::pow(std::abs(error), power);
}

class PatternSearch {
 public:
  PatternSearch(bool symmetric, FunctionRef<double(NumberRange)> cost) : symmetric_(symmetric), cost_(cost) {}

  void start(NumberRange range) { try_range(range); }

  /// Moves as long as that helps.
  void walk(double step) {
    while (move(step)) {
    }
  }

  [[nodiscard]] NumberRange best() const noexcept { return best_; }

 private:
  bool try_range(NumberRange range) {
    const double cost = cost_(range);
    if (any_ && !(cost < smallest_)) return false;
    any_ = true;
    smallest_ = cost;
    best_ = range;
    return true;
  }

  bool move(double step) {
    if (symmetric_)
      return try_range({best_.low - step, best_.high + step}) ||
             try_range({best_.low + step, best_.high - step});
    return try_range({best_.low, best_.high + step}) || try_range({best_.low, best_.high - step}) ||
           try_range({best_.low - step, best_.high}) || try_range({best_.low + step, best_.high}) ||
           try_range({best_.low + step, best_.high + step}) ||
           try_range({best_.low - step, best_.high - step});
  }

  bool symmetric_;
  FunctionRef<double(NumberRange)> cost_;
  bool any_ = false;
  double smallest_ = 0;
  NumberRange best_{};
};

}  // namespace

double uniform_cost(const Numbers& numbers, double power, double scale, double offset, double zero,
                    double top) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < numbers.x.size(); ++i) {
    const double code = std::clamp(std::nearbyint((numbers.x[i] - offset) / scale) + zero, 0.0, top);
    const double error = numbers.x[i] - (scale * (code - zero) + offset);
    sum += numbers.weight(i) * power_of(error, power);
  }
  return sum;
}

NumberRange search_range(NumberRange whole, bool symmetric, FunctionRef<double(NumberRange)> cost) {
  PatternSearch search(symmetric, cost);
  for (int k = 0; k < 80; ++k) {
    const double p = 1.0 - k / 100.0;
    search.start({p * whole.low, p * whole.high});
  }
  double step = (whole.high - whole.low) / 128;
  for (int halving = 0; halving < 10; ++halving, step /= 2) search.walk(step);
  return search.best();
}

}  // namespace kerf::mapping_grid

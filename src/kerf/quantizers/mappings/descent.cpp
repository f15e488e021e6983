// Coordinate descent on scale, minimum and codes: for given codes the best scale and minimum are a linear
// least squares problem, for given scale and minimum the best code is the nearest level. Both steps are
// repeated, from many starting ranges, until nothing improves. What is measured is the error with the
// parameters as they are stored.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/quantizers/mappings/range_search.h"

namespace kerf {
namespace {

struct Parameters {
  double scale, offset;
};

/// Weighted sums of numbers x and their codes q, both taken from a point amid them so that little cancels.
struct CodeSums {
  double w = 0, q = 0, x = 0, qq = 0, qx = 0;
};

class Descent {
 public:
  Descent(const Numbers& numbers, const MappingOptions& options)
      : numbers_(numbers),
        options_(options),
        symmetric_(*options.symmetric),
        top_(symmetric_ ? (1 << options.bits) - 2 : (1 << options.bits) - 1),
        zero_(symmetric_ ? top_ / 2 : 0) {
    const auto [low, high] = std::minmax_element(numbers.x.begin(), numbers.x.end());
    const double a = std::max(std::abs(*low), std::abs(*high));
    whole_ = symmetric_ ? mapping_grid::NumberRange{-a, a} : mapping_grid::NumberRange{*low, *high};
  }

  /// Starts from ranges that are the whole one shrunk to its middle, by up to 80 %.
  void search() {
    const double middle = 0.5 * (whole_.low + whole_.high);
    const double half = 0.5 * (whole_.high - whole_.low);
    for (int k = 0; k <= 32; ++k) {
      const double p = 1.0 - k / 40.0;
      constexpr int kFewRounds = 5;
      descend({2 * p * half / top_, symmetric_ ? 0.0 : middle - p * half}, kFewRounds);
    }
    descend(best_, kMostRounds);
    // The steps above only see the codes of the moment; a small push may free other codes.
    for (double push = 1.0 / 64; push > 1e-5; push /= 2)
      while (nudge(push)) descend(best_, kMostRounds);
  }

  [[nodiscard]] Parameters best() const noexcept { return best_; }
  [[nodiscard]] mapping_grid::NumberRange whole() const noexcept { return whole_; }
  [[nodiscard]] int rounds() const noexcept { return rounds_; }

 private:
  static constexpr int kMostRounds = 200;

  /// Remembers the stored form of the parameters if they are better than the best. Whether they are.
  bool consider(Parameters p) {
    const auto scale = mapping_grid::stored_scale(p.scale, options_.parameters);
    const auto offset = mapping_grid::stored(p.offset, options_.parameters, "minimum");
    if (!(p.scale > 0) || !scale || !offset) return false;
    const double cost = mapping_grid::uniform_cost(numbers_, 2.0, *scale, *offset, zero_, top_);
    if (!(cost < smallest_)) return false;
    smallest_ = cost;
    best_ = {*scale, *offset};
    return true;
  }

  /// From p by alternating steps, as long as they change anything.
  void descend(Parameters p, int most_rounds) {
    consider(p);
    for (int i = 0; i < most_rounds; ++i) {
      const Parameters next = least_squares(p);
      if (!(next.scale > 0) || (next.scale == p.scale && next.offset == p.offset)) break;
      p = next;
      ++rounds_;
    }
    consider(p);
  }

  bool nudge(double push) {
    const double d = push * best_.scale * top_;
    const double s = best_.scale;
    const double m = best_.offset;
    if (symmetric_) return consider({s * (1 + push), m}) || consider({s * (1 - push), m});
    return consider({s * (1 + push), m}) || consider({s * (1 - push), m}) || consider({s, m + d}) ||
           consider({s, m - d}) || consider({s * (1 + push), m - d}) || consider({s * (1 - push), m + d});
  }

  /// The best parameters for the codes that p leads to.
  [[nodiscard]] Parameters least_squares(Parameters p) const noexcept {
    const double centre_x = symmetric_ ? 0.0 : 0.5 * (whole_.low + whole_.high);
    const double centre_q = symmetric_ ? 0.0 : 0.5 * top_;
    CodeSums sum;
    for (std::size_t i = 0; i < numbers_.x.size(); ++i) {
      const double w = numbers_.weight(i);
      const double code = std::clamp(std::nearbyint((numbers_.x[i] - p.offset) / p.scale) + zero_, 0.0,
                                     static_cast<double>(top_));
      const double q = code - zero_ - centre_q;
      const double x = numbers_.x[i] - centre_x;
      sum.w += w;
      sum.q += w * q;
      sum.x += w * x;
      sum.qq += w * q * q;
      sum.qx += w * q * x;
    }
    if (symmetric_) return sum.qq > 0 ? Parameters{sum.qx / sum.qq, 0.0} : p;
    const double spread = sum.w * sum.qq - sum.q * sum.q;
    if (!(spread > 0)) return p;
    const double scale = (sum.w * sum.qx - sum.q * sum.x) / spread;
    return {scale, (sum.x - scale * sum.q) / sum.w + centre_x - scale * centre_q};
  }

  const Numbers& numbers_;
  const MappingOptions& options_;
  bool symmetric_;
  int top_;
  int zero_;
  mapping_grid::NumberRange whole_{};
  double smallest_ = std::numeric_limits<double>::infinity();
  Parameters best_{1, 0};
  int rounds_ = 0;
};

Result<MappedGroup> fit(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps) {
  const int parameter_bits = bits_of(options.parameters);
  const auto [low, high] = std::minmax_element(numbers.x.begin(), numbers.x.end());
  if (*low == *high && !*options.symmetric)
    return mapping_grid::fit_minimum(numbers, options, {*low, *high}, steps);
  if (*low == 0 && *high == 0) return mapping_grid::fit_clip(numbers, options, 0, steps);
  Descent descent(numbers, options);
  descent.search();
  const auto [scale, offset] = descent.best();
  MappedGroup group;
  const int half = (1 << (options.bits - 1)) - 1;
  group.levels = *options.symmetric ? mapping_grid::integer_levels(-half, half)
                                    : mapping_grid::integer_levels(0, (1 << options.bits) - 1);
  group.scale = scale;
  group.offset = offset;
  group.parameter_bits = *options.symmetric ? parameter_bits : 2 * parameter_bits;
  if (!*options.symmetric)
    mapping_grid::explain(steps, "m", "least squares for the codes", offset, "{} rounds", descent.rounds());
  mapping_grid::explain(steps, "s", "least squares for the codes", scale, "{} rounds", descent.rounds());
  mapping_grid::choose_codes(group, numbers.x, options);
  return group;
}

}  // namespace

const Mapping mappings::descent{.name = "descent",
                                .summary = "scale, minimum and codes improved in turn until nothing improves",
                                .bits_min = 1,
                                .bits_max = 8,
                                .bits_default = 4,
                                .symmetry = Mapping::Symmetry::either_asymmetric_first,
                                .fit = fit};

}  // namespace kerf

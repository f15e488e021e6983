#include "kerf/quantizers/row_scale_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kerf/formats/row_scaled.h"
#include "kerf/quantizers/own_row.h"

namespace kerf {
namespace {

/// The sums of least squares for x ≈ scale · y: the best scale is xy / yy, the error at scale s is
/// xx − 2·s·xy + s²·yy.
struct Fit {
  double xy = 0;
  double yy = 0;
};

/// Eight lanes in a fixed order: the same sum on every instruction set.
KERF_CLONES Fit fit_scale(const float* x, const float* y, const float* w, std::size_t n) noexcept {
  constexpr std::size_t kLanes = 8;
  double xy[kLanes] = {};
  double yy[kLanes] = {};
  const std::size_t whole = n / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) {
      const double wy = static_cast<double>(w[i + k]) * y[i + k];
      xy[k] += wy * x[i + k];
      yy[k] += wy * y[i + k];
    }
  Fit sum;
  for (std::size_t i = whole; i < n; ++i) {
    const double wy = static_cast<double>(w[i]) * y[i];
    sum.xy += wy * x[i];
    sum.yy += wy * y[i];
  }
  for (std::size_t k = 0; k < kLanes; ++k) {
    sum.xy += xy[k];
    sum.yy += yy[k];
  }
  return sum;
}

/// One row, and the best that was found for it so far.
class RowSearch {
 public:
  RowSearch(const Format& format, const float* x, const float* importance, std::size_t n,
            const QuantizeOptions& options)
      : format_(format),
        rule_(*format.row_scale),
        inner_(*rule_.inner),
        options_(options),
        x_(x),
        n_(n),
        n_padded_(round_up(n, inner_.block_size)),
        weight_(n, 1.0F),
        scaled_(n_padded_),
        back_(n_padded_),
        bytes_(format.row_bytes(n)) {
    if (importance != nullptr) weigh(importance);
    if (importance != nullptr || n_padded_ != n) inner_weight_ = weight_;
    if (!inner_weight_.empty()) inner_weight_.resize(n_padded_, 0.0F);
    const auto [lowest, highest] = std::minmax_element(x, x + n);
    half_range_ = rule_.has_offset ? 0.5 * (static_cast<double>(*highest) - *lowest)
                                   : std::max(std::fabs(*lowest), std::fabs(*highest));
    if (rule_.has_offset) middle_ = 0.5 * (static_cast<double>(*highest) + *lowest);
  }

  void run(std::uint8_t* dst) noexcept {
    best_ = dst;
    try_range(1.0);
    if (half_range_ == 0.0) return;
    const int n_tries = inner_.encode_plain != nullptr ? 8 + 8 * options_.effort : 2 * options_.effort;
    if (rule_.least_range < 1.0F)
      for (int i = 1; i <= n_tries; ++i) {
        const double part = static_cast<double>(i) / static_cast<double>(n_tries);
        try_range(1.0 - part * (1.0 - rule_.least_range));
      }
    for (int i = 0; i < 1 + options_.effort && refit(); ++i) {
    }
    if (error_ > 0 && inner_.encode_plain != nullptr && rule_.reach <= kMostSteps) try_own_steps();
  }

 private:
  static constexpr float kMostSteps = 255;

  /// Importance times a power of two, so that sums neither vanish nor overflow.
  void weigh(const float* importance) noexcept {
    const float largest = *std::max_element(importance, importance + n_);
    if (!(largest > 0.0F)) return;
    const int exponent = std::ilogb(largest);
    for (std::size_t i = 0; i < n_; ++i) weight_[i] = std::ldexp(importance[i], -exponent);
  }

  /// The scale (and offset) with which this part of the range of the numbers is not clipped.
  void try_range(double part) noexcept {
    const double half = part * half_range_;
    try_scale((rule_.has_offset ? 2.0 * half : half) / rule_.reach, middle_ - half);
  }

  /// Numbers that are integers times a scale already: as many steps as the largest of them may have.
  void try_own_steps() noexcept {
    const double base = rule_.has_offset ? middle_ - half_range_ : 0.0;
    const double extent = rule_.has_offset ? 2 * half_range_ : half_range_;
    const auto all_are_steps = [&](double inverse) {
      return std::all_of(x_, x_ + n_, [&](float x) {
        const double steps = (x - base) * inverse;
        return std::fabs(steps - std::nearbyint(steps)) < 1e-3;
      });
    };
    // The lowest of signed integers is one step farther from zero than the highest.
    for (double steps = rule_.reach + (rule_.has_offset ? 0 : 1); steps > 0 && error_ > 0; --steps) {
      if (!all_are_steps(steps / extent)) continue;
      const auto scale = static_cast<float>(extent / steps);
      for (const float near : {scale, std::nextafter(scale, 0.0F), std::nextafter(scale, 2 * scale)})
        try_scale(near, base);
    }
  }

  /// Writes the scale, or, where its largest numbers would not be finite, the next half of it that is sound.
  float store_sound_scale(double wanted) noexcept {
    double bounded = std::min<double>(wanted, std::numeric_limits<float>::max());
    for (;; bounded *= 0.5) {
      const float scale = formats::store_row_scale(rule_.type, static_cast<float>(bounded), bytes_.data());
      if (scale == 0.0F || format_.header_defect(bytes_.data()) == nullptr) return scale;
    }
  }

  /// Quantizes the row with this scale and offset and keeps them if they are the best so far.
  bool try_scale(double wanted, double wanted_offset) noexcept {
    double offset = 0;
    if (rule_.has_offset)
      offset = formats::store_row_scale(rule_.type, static_cast<float>(wanted_offset),
                                        bytes_.data() + formats::bytes_of(rule_.type));
    const float scale = store_sound_scale(wanted);
    const double inverse = scale == 0.0F ? 0.0 : 1.0 / scale;  // of a tiny scale: beyond binary32
    for (std::size_t i = 0; i < n_; ++i) scaled_[i] = static_cast<float>((x_[i] - offset) * inverse);
    // The end of a block that is not used: numbers without weight that do not stretch the range.
    std::fill(scaled_.begin() + static_cast<std::ptrdiff_t>(n_), scaled_.end(), scaled_[n_ - 1]);
    quantize_row(inner_, scaled_.data(), inner_weight_.empty() ? nullptr : inner_weight_.data(),
                 bytes_.data() + format_.header_bytes, n_padded_, options_);
    format_.decode(bytes_.data(), back_.data(), n_);
    double error = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      const double difference = static_cast<double>(x_[i]) - back_[i];
      error += weight_[i] * difference * difference;
    }
    if (tried_ && !(error < error_)) return false;
    tried_ = true;
    error_ = error;
    scale_ = scale;
    offset_ = offset;
    std::memcpy(best_, bytes_.data(), bytes_.size());
    return true;
  }

  /// The scale (and offset) that suit the best codes so far, and codes for them; false when nothing improves.
  bool refit() noexcept {
    inner_.decode(best_ + format_.header_bytes, back_.data(), n_padded_);
    return rule_.has_offset ? refit_line() : refit_scale();
  }

  bool refit_scale() noexcept {
    const Fit fit = fit_scale(x_, back_.data(), weight_.data(), n_);
    if (!(fit.yy > 0) || !(fit.xy > 0)) return false;
    const double wanted = fit.xy / fit.yy;
    return static_cast<float>(wanted) != scale_ && std::isfinite(wanted) && try_scale(wanted, 0.0);
  }

  /// Least squares of a straight line through (y, x).
  bool refit_line() noexcept {
    double w = 0;
    double wx = 0;
    double wy = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      w += weight_[i];
      wx += static_cast<double>(weight_[i]) * x_[i];
      wy += static_cast<double>(weight_[i]) * back_[i];
    }
    const Fit fit = fit_scale(x_, back_.data(), weight_.data(), n_);
    const double yy = fit.yy - wy * wy / w;
    const double xy = fit.xy - wx * wy / w;
    if (!(yy > 0) || !(xy > 0)) return false;
    const double scale = xy / yy;
    const double offset = (wx - scale * wy) / w;
    const bool moved =
        static_cast<float>(scale) != scale_ || static_cast<double>(static_cast<float>(offset)) != offset_;
    return moved && std::isfinite(scale) && std::isfinite(offset) && try_scale(scale, offset);
  }

  const Format& format_;
  const RowScale& rule_;
  const Format& inner_;
  const QuantizeOptions& options_;
  const float* x_;
  std::size_t n_;
  std::size_t n_padded_;  ///< to whole blocks
  std::vector<float> weight_;
  std::vector<float> inner_weight_;  ///< [n_padded_], or empty: all alike
  std::vector<float> scaled_;
  std::vector<float> back_;
  std::vector<std::uint8_t> bytes_;
  std::uint8_t* best_ = nullptr;
  double half_range_ = 0;  ///< what a scale must reach to clip nothing, on either side of the middle
  double middle_ = 0;      ///< 0 without an offset
  bool tried_ = false;
  double error_ = 0;
  float scale_ = 0;
  double offset_ = 0;
};

}  // namespace

void search_row_scale(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                      std::size_t n, const QuantizeOptions& options) noexcept {
  RowSearch(format, x, importance, n, options).run(dst);
  if (format.row_scale->inner->grid != nullptr) restore_row(format, x, n, dst);
}

}  // namespace kerf

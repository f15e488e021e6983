#include "kerf/quantizers/float_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"
#include "kerf/quantizers/block_search.h"

namespace kerf {
namespace {

/// Σ weight · (x − back)², in eight lanes in a fixed order: the same on every instruction set. Without
/// weights (nullptr) all are 1. n is a multiple of 8.
KERF_CLONES double squared_error(const float* x, const float* back, const float* weight,
                                 std::size_t n) noexcept {
  double sum[kLanes] = {};
  for (std::size_t i = 0; i < n; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) {
      const double difference = static_cast<double>(x[i + k]) - back[i + k];
      const double w = weight == nullptr ? 1.0 : weight[i + k];
      sum[k] += w * difference * difference;
    }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/// A block and the best that was found for it so far.
class FloatSearch {
 public:
  FloatSearch(const Format& format, const QuantizeOptions& options) noexcept
      : format_(format),
        floats_(*format.floats),
        n_steps_(options.effort <= 1   ? 4
                 : options.effort == 2 ? 8
                                       : 16),
        ratio_(std::exp2(1.0F / static_cast<float>(n_steps_))) {}

  void run(const float* x, const float* importance, std::uint8_t* block) noexcept {
    x_ = x;
    weight_ = importance;
    block_ = block;
    largest_ = 0.0F;
    float heaviest = 0.0F;
    for (std::size_t i = 0; i < format_.block_size; ++i) largest_ = std::max(largest_, std::fabs(x[i]));
    for (std::size_t i = 0; i < format_.block_size && weight_ != nullptr; ++i)
      heaviest = std::max(heaviest, weight_[i]);
    if (!(heaviest > 0.0F)) weight_ = nullptr;
    if (largest_ == 0.0F) return floats_.encode(x, 0.0F, block);
    least_ = std::numeric_limits<double>::infinity();
    if (floats_.power_of_two) {
      const int exponent = std::clamp(std::ilogb(largest_) - std::ilogb(floats_.most), -127, 126);
      offer(std::ldexp(1.0F, exponent));
      offer(std::ldexp(1.0F, exponent + 1));
      return;
    }
    float scale = largest_ / floats_.most;
    for (int step = 0; step < n_steps_ && least_ > 0.0; ++step, scale *= ratio_) offer(scale);
    if (least_ > 0.0) offer_own_scales();
  }

 private:
  void offer(float scale) noexcept {
    std::uint8_t trial[kMaxBlockBytes];
    float back[Grid::kMaxBlock];
    floats_.encode(x_, scale, trial);
    format_.decode(trial, back, format_.block_size);
    const double error = squared_error(x_, back, weight_, format_.block_size);
    if (!(error < least_)) return;
    least_ = error;
    std::copy_n(trial, format_.block_bytes, block_);
  }

  /// Numbers that are elements times a scale already: under the right mantissa for the largest of them all
  /// mantissas are whole.
  void offer_own_scales() noexcept {
    std::size_t other = 0;
    while (other + 1 < format_.block_size && (x_[other] == 0.0F || std::fabs(x_[other]) == largest_)) ++other;
    const float inverse = 1.0F / mantissa(largest_);
    if (!some_are_whole(x_[other] == 0.0F ? 1.0F : mantissa(x_[other]) * inverse)) return;
    const int first = 1 << floats_.mantissa_bits;
    for (int i = first; i < 2 * first && least_ > 0.0; ++i) {
      const bool all = std::all_of(x_, x_ + format_.block_size, [&](float x) {
        return x == 0.0F || distance_from_whole(mantissa(x) * inverse * static_cast<float>(i)) < kWhole;
      });
      if (!all) continue;
      float element = std::ldexp(static_cast<float>(i), std::ilogb(floats_.most) - floats_.mantissa_bits);
      if (element > floats_.most) element *= 0.5F;
      // The product was rounded, so the quotient may be off by a last place.
      const float scale = largest_ / element;
      for (const float near : {scale, std::nextafter(scale, 0.0F), std::nextafter(scale, 2 * scale)})
        if (least_ > 0.0) offer(near);
    }
  }

  /// In [2, 4).
  static float mantissa(float value) noexcept {
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) & 0x007FFFFFU) | 0x40000000U);
  }

  static constexpr float kWhole = 1e-4F;

  /// Of twice the value: ratios of mantissas may be below 1.
  static float distance_from_whole(float value) noexcept {
    constexpr float kMagic = 0x1.8p23F;  // no bits are left for a fraction
    const float twice = 2.0F * value;
    return std::fabs(twice - ((twice + kMagic) - kMagic));
  }

  /// Under one of eight mantissas, which include those of four.
  static bool some_are_whole(float ratio) noexcept {
    float distance[8];
    for (int i = 0; i < 8; ++i) distance[i] = distance_from_whole(ratio * static_cast<float>(8 + i));
    float least = distance[0];
    for (const float each : distance) least = each < least ? each : least;
    return least < kWhole;
  }

  const Format& format_;
  const FloatBlocks& floats_;
  int n_steps_;
  float ratio_;
  const float* x_ = nullptr;
  const float* weight_ = nullptr;
  std::uint8_t* block_ = nullptr;
  float largest_ = 0;
  double least_ = 0;
};

}  // namespace

void search_floats(const Format& format, const float* x, const float* importance, std::uint8_t* dst,
                   std::size_t n, const QuantizeOptions& options) noexcept {
  FloatSearch search(format, options);
  for (std::size_t i = 0; i < n; i += format.block_size, dst += format.block_bytes)
    search.run(x + i, importance == nullptr ? nullptr : importance + i, dst);
}

}  // namespace kerf

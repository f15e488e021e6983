// A sum of squares of binary32 numbers without any rounding, so that it does not depend on the order. A
// square is a whole multiple of 2^-298 below 2^256; the sum is held as a whole number of those, in limbs of
// 32 bits that lie in 64, so that carries need not be passed on at once. Source: the small superaccumulator
// of Neal, «Fast exact summation …» (2015), for squares only.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace kerf {

class ExactSquareSum {
 public:
  static constexpr int kUnit = -298;         ///< weight of the lowest bit, as a power of two
  static constexpr std::size_t kLimbs = 20;  ///< 640 bits: room for 2^63 of the largest squares
  static constexpr std::uint64_t kMostAdds = std::uint64_t{1} << 30;  ///< between two calls of carry()

  /// Adds x². x is finite.
  void add_square(float x) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t exponent = bits >> 23 & 0xFF;
    const std::uint64_t mantissa = exponent == 0 ? bits & 0x7FFFFF : (bits & 0x7FFFFF) | 0x800000;
    const std::uint64_t square = mantissa * mantissa;
    // |x| = mantissa · 2^(exponent − 150), or 2^-149 for subnormals.
    const std::uint32_t shift = 2 * (exponent == 0 ? 0 : exponent - 1);
    std::uint64_t* const limb = limb_.data() + shift / 32;
    const std::uint64_t low = (square & kMask) << shift % 32;
    const std::uint64_t high = (square >> 32) << shift % 32;
    limb[0] += low & kMask;
    limb[1] += (low >> 32) + (high & kMask);
    limb[2] += high >> 32;
  }

  /// Adds another sum. Both have passed on their carries, and so has the result.
  void add(const ExactSquareSum& other) noexcept {
    for (std::size_t i = 0; i < kLimbs; ++i) limb_[i] += other.limb_[i];
    carry();
  }

  /// Leaves 32 bits in each limb: then equal sums are equal limbs.
  void carry() noexcept {
    for (std::size_t i = 0; i + 1 < kLimbs; ++i) {
      limb_[i + 1] += limb_[i] >> 32;
      limb_[i] &= kMask;
    }
  }

  /// The sum, within a few units in the last place.
  [[nodiscard]] double value() const noexcept {
    double sum = 0;
    for (std::size_t i = kLimbs; i-- > 0;) sum = sum * 0x1p32 + static_cast<double>(limb_[i]);
    return std::ldexp(sum, kUnit);
  }

  [[nodiscard]] std::array<std::uint64_t, kLimbs>& limbs() noexcept { return limb_; }
  [[nodiscard]] const std::array<std::uint64_t, kLimbs>& limbs() const noexcept { return limb_; }

 private:
  static constexpr std::uint64_t kMask = 0xFFFFFFFF;
  std::array<std::uint64_t, kLimbs> limb_{};
};

}  // namespace kerf

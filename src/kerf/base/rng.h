// Counter-based random numbers: the n-th number of a seed is the same on every machine and thread count.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace kerf {

/// SplitMix64 (Steele, Lea, Flood 2014): a bijective mix of a 64-bit counter.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// A stream of random numbers, cheap to copy.
class Rng {
 public:
  explicit constexpr Rng(std::uint64_t seed) noexcept : key_(mix64(seed)) {}

  constexpr std::uint64_t next() noexcept { return mix64(key_ ^ mix64(counter_++)); }

  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Uniform in [0, n); the bias of at most n / 2^64 is accepted.
  constexpr std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }

  /// Standard normal by Box and Muller (1958), one value per call.
  double normal() noexcept {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace kerf

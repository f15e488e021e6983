// A random rotation of n dimensions that costs n·(log₂ + odd part) instead of n²: signs, a Hadamard transform
// of the largest power of two that divides n, and an orthogonal matrix for what is left of n.
//
// Sources: S. Ashkboos et al., «QuaRot» (2024), §3; A. Tseng et al., «QuIP#» (2024), §3 (n = 2^a · m).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kerf {

/// Q [n, n] with Q·Qᵀ = I, the same for the same n and seed on every machine.
class Rotation {
 public:
  Rotation(std::size_t n, std::uint64_t seed);

  /// x [n] ← x·Q, computed in double.
  void apply(double* x) const;

  [[nodiscard]] std::size_t size() const noexcept { return signs_.size(); }

 private:
  void mix(double* x) const;

  std::size_t power_ = 1;      // of two
  std::size_t rest_ = 1;       // n / power_
  std::vector<double> signs_;  // [n], ±1/√power_
  std::vector<double> mixer_;  // [rest_, rest_], orthogonal
};

}  // namespace kerf

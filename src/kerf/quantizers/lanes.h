// Eight floats that are worked on together, lane by lane. No operation mixes lanes, so results are the same
// bits whether the compiler maps it to one AVX register, two SSE or NEON registers, or scalar code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kerf {

inline constexpr std::size_t kLanes = 8;
using Lanes = float[kLanes];

// Must become part of each clone of a KERF_CLONES function, or it would be built for the baseline only.
#define KERF_INLINE [[gnu::always_inline]] inline
#define KERF_INLINE_LAMBDA __attribute__((always_inline))

/// A struct around the vector: as an argument it has the same ABI with and without AVX.
struct Eight {
  typedef float Floats __attribute__((vector_size(32)));
  typedef std::int32_t Bits __attribute__((vector_size(32)));

  Floats v;

  KERF_INLINE static Eight zero() noexcept { return {Floats{}}; }
  KERF_INLINE static Eight all(float value) noexcept { return {value - Floats{}}; }
  KERF_INLINE static Eight load(const float* source) noexcept {
    Eight r;
    std::memcpy(&r.v, source, sizeof r.v);
    return r;
  }
  KERF_INLINE void store(float* target) const noexcept { std::memcpy(target, &v, sizeof v); }
};

KERF_INLINE Eight operator+(const Eight& a, const Eight& b) noexcept {
  return {a.v + b.v};
}
KERF_INLINE Eight operator-(const Eight& a, const Eight& b) noexcept {
  return {a.v - b.v};
}
KERF_INLINE Eight operator*(const Eight& a, const Eight& b) noexcept {
  return {a.v * b.v};
}
KERF_INLINE Eight operator/(const Eight& a, const Eight& b) noexcept {
  return {a.v / b.v};
}
KERF_INLINE Eight& operator+=(Eight& a, const Eight& b) noexcept {
  a.v += b.v;
  return a;
}

/// The smaller; b if one of them is NaN.
KERF_INLINE Eight smaller(const Eight& a, const Eight& b) noexcept {
  return {a.v < b.v ? a.v : b.v};
}
/// The larger; b if one of them is NaN.
KERF_INLINE Eight larger(const Eight& a, const Eight& b) noexcept {
  return {a.v > b.v ? a.v : b.v};
}
/// `yes` where a > b, else `no`.
KERF_INLINE Eight where_greater(const Eight& a, const Eight& b, const Eight& yes, const Eight& no) noexcept {
  return {a.v > b.v ? yes.v : no.v};
}
/// `value` where a > b, else 0.
KERF_INLINE Eight where_greater(const Eight& a, const Eight& b, const Eight& value) noexcept {
  return {reinterpret_cast<Eight::Floats>((a.v > b.v) & reinterpret_cast<Eight::Bits>(value.v))};
}
/// To the nearest integer, ties to even, for |a| below 2^22: the sum has no bits left for a fraction.
KERF_INLINE Eight rounded(const Eight& a) noexcept {
  const Eight magic = Eight::all(0x1.8p23F);
  return (a + magic) - magic;
}

}  // namespace kerf

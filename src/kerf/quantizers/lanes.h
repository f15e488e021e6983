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
  typedef float Four __attribute__((vector_size(16)));

  Floats v;

  KERF_INLINE static Eight zero() noexcept { return {Floats{}}; }
  /// In halves, which every instruction set has: GCC 12 would build 32 bytes lane by lane for some.
  KERF_INLINE static Eight all(float value) noexcept {
    const Four four{value, value, value, value};
    return {__builtin_shufflevector(four, four, 0, 1, 2, 3, 0, 1, 2, 3)};
  }
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
KERF_INLINE Eight magnitude(const Eight& a) noexcept {
  return {reinterpret_cast<Eight::Floats>(reinterpret_cast<Eight::Bits>(a.v) & 0x7FFFFFFF)};
}
/// The power of two not above a; a is positive and normal.
KERF_INLINE Eight power_of_two_below(const Eight& a) noexcept {
  return {reinterpret_cast<Eight::Floats>(reinterpret_cast<Eight::Bits>(a.v) & 0x7F800000)};
}
/// To the nearest integer, ties to even, for |a| below 2^22: the sum has no bits left for a fraction.
KERF_INLINE Eight rounded(const Eight& a) noexcept {
  const Eight magic = Eight::all(0x1.8p23F);
  return (a + magic) - magic;
}

/// Lane k of row i and lane i of row k change places.
KERF_INLINE void transpose(Eight (&rows)[kLanes]) noexcept {
  Eight pairs[kLanes];
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 8; k += 2) {
    const auto &a = rows[k].v, &b = rows[k + 1].v;
    pairs[k].v = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[k + 1].v = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Eight fours[kLanes];
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 4; ++k) {
    const std::size_t first = k / 2 * 4 + k % 2;
    const auto &a = pairs[first].v, &b = pairs[first + 2].v;
    fours[k / 2 * 4 + k % 2 * 2].v = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
    fours[k / 2 * 4 + k % 2 * 2 + 1].v = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (std::size_t k = 0; k < 4; ++k) {
    rows[k].v = __builtin_shufflevector(fours[k].v, fours[k + 4].v, 0, 1, 2, 3, 8, 9, 10, 11);
    rows[k + 4].v = __builtin_shufflevector(fours[k].v, fours[k + 4].v, 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

}  // namespace kerf

#include "kerf/quantizers/own_gate.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

/// Where a binary32 has bits that numbers of models, stored as binary16 or bfloat16, do not have.
constexpr std::int32_t kBeyondBinary16 = (1 << 13) - 1;

/// Eight answers: all bits or none.
struct Flags {
  Eight::Bits v;
};

KERF_INLINE bool any(const Flags& flags) noexcept {
  std::uint64_t pairs[kLanes / 2];
  std::memcpy(pairs, &flags.v, sizeof pairs);
  return (pairs[0] | pairs[1] | pairs[2] | pairs[3]) != 0;
}

KERF_INLINE unsigned mask_of(const Flags& flags) noexcept {
  if (!any(flags)) return 0;
  unsigned mask = 0;
  for (std::size_t k = 0; k < kLanes; ++k) mask |= (flags.v[k] != 0 ? 1U : 0U) << k;
  return mask;
}

/// Of the first n numbers at least `wanted` equal one before them.
KERF_INLINE Flags with_equal_numbers(const Panel& panel, std::size_t n, std::int32_t wanted) noexcept {
  Eight::Bits count{};
  for (std::size_t i = 1; i < n; ++i) {
    const Eight x = Eight::load(panel.x[i]);
    Eight::Bits found{};
    for (std::size_t j = 0; j < i; ++j) found |= x.v == Eight::load(panel.x[j]).v;
    count -= found;  // −1 where it is true
  }
  return {count >= wanted};
}

/// All bits of numbers `from` to `to`, less `first`.
KERF_INLINE Flags bits_of(const Panel& panel, const Eight& first, std::size_t from, std::size_t to) noexcept {
  Eight::Bits bits{};
  for (std::size_t i = from; i < to; ++i)
    bits |= reinterpret_cast<Eight::Bits>((Eight::load(panel.x[i]) - first).v);
  return {bits};
}

/// All numbers, or their differences, are multiples of the same power of two, at most `most` of it.
KERF_INLINE Flags with_few_steps(const Panel& panel, bool differences, const Eight& most,
                                 Flags among) noexcept {
  const Eight first = differences ? Eight::load(panel.x[0]) : Eight::zero();
  const Eight low = Eight::load(panel.smallest);
  const Eight high = Eight::load(panel.largest);
  const Eight extent = differences ? high - low : larger(high, Eight::zero() - low);
  const Eight power = power_of_two_below(larger(extent, Eight::all(0x1p-100F)));
  const Eight inverse = Eight::all(0.5F) * most / power;
  for (std::size_t i = 0; i < panel.n && any(among); i += 8)
    for (std::size_t j = i; j < i + 8; ++j) {
      const Eight t = (Eight::load(panel.x[j]) - first) * inverse;
      among.v &= rounded(t).v == t.v;
    }
  return among;
}

/// Steps show in the last bits of numbers, or of their differences: these are zeros. So they are in numbers
/// that were stored as a binary16 or bfloat16 before, and then there have to be few steps: a scale and a
/// level make as many as such numbers have bits.
KERF_INLINE Flags with_steps(const Panel& panel, const OwnGate& gate) noexcept {
  const Eight zero = Eight::zero();
  const Eight first = gate.differences ? Eight::load(panel.x[0]) : zero;
  const Flags found{(bits_of(panel, first, 0, 8).v & gate.zeros) == 0};
  if (!any(found)) return found;
  if (!gate.looks_at_short_numbers)
    return {found.v & ((bits_of(panel, zero, 0, 8).v & kBeyondBinary16) != 0)};
  const Flags numbers = bits_of(panel, zero, 0, panel.n);
  const Flags longer{(numbers.v & kBeyondBinary16) != 0};
  const Flags more_than_bfloat16{(numbers.v & 0xFFFF) != 0};
  const float most_of_binary16 = gate.differences ? 16384.0F : 8192.0F;
  const Eight most{more_than_bfloat16.v ? Eight::all(most_of_binary16).v
                                        : Eight::all(0.125F * most_of_binary16).v};
  const Flags few = with_few_steps(panel, gate.differences, most, {found.v & ~longer.v});
  return {(found.v & longer.v) | few.v};
}

}  // namespace

KERF_CLONES unsigned suspects_of(const Panel& panel, const OwnGate& gate) noexcept {
  Flags found = with_equal_numbers(panel, gate.n_compared, gate.n_equal);
  if (gate.looks_at_bits) found.v |= with_steps(panel, gate).v;
  return mask_of(found);
}

bool may_be_own(const OwnGate& gate, const float* x, std::size_t n) noexcept {
  if (!gate.looks_at_bits) {
    for (std::size_t i = 1; i < gate.n_compared; ++i)
      if (std::find(x, x + i, x[i]) != x + i) return true;
    return false;
  }
  const float first = gate.differences ? x[0] : 0.0F;
  std::int32_t steps = 0;
  std::int32_t numbers = 0;
  for (std::size_t i = 0; i < n; ++i) {
    steps |= std::bit_cast<std::int32_t>(x[i] - first);
    numbers |= std::bit_cast<std::int32_t>(x[i]);
  }
  return (steps & gate.zeros) == 0 && ((numbers & kBeyondBinary16) != 0 || steps == 0);
}

}  // namespace kerf

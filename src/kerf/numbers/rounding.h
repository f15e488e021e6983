// Rounding modes, and the one rounding of a conversion in full view.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kerf/numbers/exact_number.h"
#include "kerf/numbers/rounding_mode.h"
#include "kerf/numbers/scalar_format.h"

namespace kerf {

/// Where the part that is cut off lies between two neighbouring numbers.
enum class Remainder : std::uint8_t { none, below_half, half, above_half };

/// |x| = (kept + rest) · 2^last_place with a whole number `kept` and 0 ≤ rest < 1.
struct Split {
  Natural kept;
  ExactNumber rest;
  int last_place = 0;
  [[nodiscard]] Remainder remainder() const;
};
/// x is finite.
[[nodiscard]] Split split_at(const ExactNumber& x, int last_place);

/// Whether the magnitude `split` of a number of that sign is rounded up. `random` decides stochastic
/// rounding: its 64 bits are a fraction of 1 to which the rest is compared.
[[nodiscard]] bool rounds_up(const Split& split, bool negative, RoundingMode rounding,
                             std::uint64_t random = 0);

/// x rounded to a whole number. x is finite.
[[nodiscard]] ExactNumber round_to_integer(const ExactNumber& x, RoundingMode rounding,
                                           std::uint64_t random = 0);

struct EncodeOptions {
  RoundingMode rounding = RoundingMode::nearest_even;
  std::optional<Overflow> overflow = {};  ///< otherwise the format's own
  std::uint64_t random = 0;               ///< for stochastic rounding
};

/// What became of a number that is beyond the range.
enum class Fate : std::uint8_t { in_range, saturated, infinite, nan, wrapped };

struct Encoded {
  /// Nothing if the format has no pattern for x: NaN where there is none.
  std::optional<std::uint64_t> bits = {};
  Fate fate = Fate::in_range;
  bool subnormal = false;   ///< the digits were counted from the smallest normal number, floats only
  bool rounded_up = false;  ///< in magnitude
  /// The digits that were kept and what was cut off; nothing for infinities, NaN, powers of two and
  /// plus-minus one.
  std::optional<Split> split = {};
};

/// Rounds once. Infinities become infinity where there is one and the policy wants it, else they overflow.
/// Numbers below an unsigned format's range become its least number. E8M0 rounds log2 x.
[[nodiscard]] Encoded encode(const ScalarFormat& format, const ExactNumber& x,
                             const EncodeOptions& options = {});

}  // namespace kerf

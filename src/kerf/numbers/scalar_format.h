// ScalarFormat: a number format described at run time, for explaining and testing. Every conversion here is
// exact but for its one rounding, and slow; minifloat.h, float16.h and e8m0.h are what loops use, and tests
// hold them to this. Source: IEEE 754-2019 §3.4, §4.3, §7.4; Micikevicius et al., «FP8 Formats for Deep
// Learning» (2022); OCP Microscaling Formats (MX) v1.0 §5.3, §5.4.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/numbers/exact_number.h"

namespace kerf {

/// A position in the ascending row of a format's numbers. Wide enough for any 64-bit pattern and its
/// neighbours.
__extension__ using Ordinal = __int128;

/// Which patterns are no finite numbers.
enum class Specials : std::uint8_t {
  none,
  one_nan,  ///< all exponent and mantissa bits one
  ieee      ///< the highest exponent: mantissa zero is infinity, else NaN
};

/// What happens to numbers beyond the range.
enum class Overflow : std::uint8_t {
  saturate,  ///< the nearest finite number
  infinity,  ///< infinity; NaN where there is none; else the nearest finite number
  nan,       ///< NaN; where there is none the nearest finite number
  wrap       ///< fixed point keeps the low bits; floats as with `saturate`
};

/// How an integer becomes bits.
enum class IntegerEncoding : std::uint8_t {
  twos_complement,
  natural,        ///< no sign
  offset,         ///< value − lowest
  plus_minus_one  ///< the ordinals 0 and 1 stand for −1 and 1
};

struct ScalarFormat {
  enum class Kind : std::uint8_t { floating, power_of_two, fixed_point };

  std::string name;
  Kind kind = Kind::fixed_point;
  int bits = 0;  ///< of a pattern, 1 … 64
  Overflow overflow = Overflow::saturate;
  std::string summary;
  std::string aliases = {};  ///< separated by spaces

  // floating
  int sign_bits = 0;
  int exponent_bits = 0;
  int mantissa_bits = 0;
  int bias = 0;
  Specials specials = Specials::none;

  // fixed_point: integer · 2^−fraction_bits
  int fraction_bits = 0;
  Ordinal lowest = 0;
  Ordinal highest = 0;
  IntegerEncoding encoding = IntegerEncoding::twos_complement;

  [[nodiscard]] bool is_float() const noexcept { return kind != Kind::fixed_point; }
  [[nodiscard]] bool is_signed() const noexcept { return is_float() ? sign_bits != 0 : lowest < 0; }
  [[nodiscard]] bool has_infinity() const noexcept { return specials == Specials::ieee; }
  [[nodiscard]] bool has_nan() const noexcept { return specials != Specials::none; }
  /// The canonical, quiet one.
  [[nodiscard]] std::uint64_t nan_bits() const noexcept;
  /// log2 of the smallest normal number (floating).
  [[nodiscard]] int min_normal_exponent() const noexcept { return 1 - bias; }
};

/// The formats of scalar_format.def, in its order.
[[nodiscard]] std::span<const ScalarFormat> all_scalar_formats();

/// Fixed point: `integer_bits` before and `fraction_bits` behind the point, and a sign bit in front if signed
/// (two's complement). Either number may be negative or beyond the width. Error: usage unless 1 … 64 bits in
/// all.
Result<ScalarFormat> fixed_point(int integer_bits, int fraction_bits, bool is_signed);

/// Every format that a user may mean: a name or alias of the list («fp8» means two) or fixed point as «Q8.8»,
/// «UQ5.3», «Q0.15», in any case, with or without «-» and «_». Error: usage.
Result<std::vector<ScalarFormat>> find_scalar_formats(std::string_view name);

/// What a pattern stands for; nothing if it stands for nothing (ternary 11). Bits above the width are
/// ignored.
[[nodiscard]] std::optional<ExactNumber> decode(const ScalarFormat& format, std::uint64_t bits);

/// The next smaller and the next larger number: an infinity beside the largest finite where there is one.
/// Nothing at the ends of the range, and for NaN.
struct Neighbours {
  std::optional<std::uint64_t> below;
  std::optional<std::uint64_t> above;
};
[[nodiscard]] Neighbours neighbours(const ScalarFormat& format, std::uint64_t bits);

/// Patterns of the least and the greatest finite number.
[[nodiscard]] std::uint64_t lowest_bits(const ScalarFormat& format);
[[nodiscard]] std::uint64_t highest_bits(const ScalarFormat& format);

/// The ordinal of a pattern that is a number: consecutive numbers have consecutive ordinals, both zeros have
/// 0. Nothing for NaN and unused patterns.
[[nodiscard]] std::optional<Ordinal> ordinal_of(const ScalarFormat& format, std::uint64_t bits);
[[nodiscard]] std::uint64_t bits_of_ordinal(const ScalarFormat& format, Ordinal ordinal);

}  // namespace kerf

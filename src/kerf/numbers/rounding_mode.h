// The rules by which a number between two neighbours becomes one of them.
// Source: IEEE 754-2019 §4.3, which has neither «nearest, ties up» nor stochastic rounding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kerf {

enum class RoundingMode : std::uint8_t {
  nearest_even,  ///< ties to the number whose last digit is even
  nearest_away,  ///< ties away from zero
  nearest_up,    ///< ties towards +∞: ⌊x + ½⌋
  toward_zero,
  floor,
  ceil,
  stochastic  ///< up with the probability of the part that is cut off
};

/// A mode and how people type it.
struct NamedRounding {
  RoundingMode rounding;
  std::string_view name;  ///< «nearest-even»
};
[[nodiscard]] std::span<const NamedRounding> all_rounding_modes() noexcept;
[[nodiscard]] std::string_view name_of(RoundingMode rounding) noexcept;
/// By the name that name_of() gives.
[[nodiscard]] std::optional<RoundingMode> find_rounding_mode(std::string_view name) noexcept;

}  // namespace kerf

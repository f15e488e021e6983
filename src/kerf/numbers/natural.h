// Natural: whole numbers from zero up of any length, for arithmetic that must not round. Sizes here are a few
// hundred words at most, so the plain algorithms do.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kerf {

class Natural {
 public:
  Natural() = default;
  Natural(std::uint64_t value);  // NOLINT: a number is a number

  /// base^exponent.
  [[nodiscard]] static Natural power(std::uint32_t base, std::uint32_t exponent);

  [[nodiscard]] bool is_zero() const noexcept { return words_.empty(); }
  /// Binary digits; 0 for zero.
  [[nodiscard]] std::size_t bit_length() const noexcept;
  /// Binary digit of weight 2^index.
  [[nodiscard]] bool bit(std::size_t index) const noexcept;
  /// How often 2 divides it; 0 for zero.
  [[nodiscard]] std::size_t trailing_zeros() const noexcept;
  /// The value modulo 2^64.
  [[nodiscard]] std::uint64_t low64() const noexcept;

  [[nodiscard]] Natural operator+(const Natural& other) const;
  /// other is not larger.
  [[nodiscard]] Natural operator-(const Natural& other) const;
  [[nodiscard]] Natural operator*(const Natural& other) const;
  [[nodiscard]] Natural operator<<(std::size_t bits) const;
  [[nodiscard]] Natural operator>>(std::size_t bits) const;
  /// Quotient and remainder; divisor is not zero.
  [[nodiscard]] std::pair<Natural, Natural> divide(const Natural& divisor) const;

  [[nodiscard]] std::strong_ordering operator<=>(const Natural& other) const noexcept;
  [[nodiscard]] bool operator==(const Natural& other) const = default;

  [[nodiscard]] std::string decimal() const;

 private:
  void trim();
  /// Divides in place, remainder returned; divisor is not zero.
  std::uint32_t divide_small(std::uint32_t divisor);
  std::vector<std::uint32_t> words_;  // least significant first, no leading zeros
};

}  // namespace kerf

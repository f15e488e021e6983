#include "kerf/numbers/natural.h"

#include <algorithm>
#include <bit>

#include "kerf/base/check.h"

namespace kerf {

Natural::Natural(std::uint64_t value) {
  words_ = {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
  trim();
}

void Natural::trim() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

Natural Natural::power(std::uint32_t base, std::uint32_t exponent) {
  Natural result = 1;
  Natural square = base;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1U) result = result * square;
    if (exponent > 1) square = square * square;
  }
  return result;
}

std::size_t Natural::bit_length() const noexcept {
  return words_.empty() ? 0 : 32 * words_.size() - static_cast<std::size_t>(std::countl_zero(words_.back()));
}

bool Natural::bit(std::size_t index) const noexcept {
  return index / 32 < words_.size() && (words_[index / 32] >> (index % 32) & 1U) != 0;
}

std::size_t Natural::trailing_zeros() const noexcept {
  for (std::size_t i = 0; i < words_.size(); ++i)
    if (words_[i] != 0) return 32 * i + static_cast<std::size_t>(std::countr_zero(words_[i]));
  return 0;
}

std::uint64_t Natural::low64() const noexcept {
  std::uint64_t value = words_.empty() ? 0 : words_[0];
  if (words_.size() > 1) value |= static_cast<std::uint64_t>(words_[1]) << 32;
  return value;
}

Natural Natural::operator+(const Natural& other) const {
  Natural sum;
  sum.words_.resize(std::max(words_.size(), other.words_.size()) + 1);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < sum.words_.size(); ++i) {
    if (i < words_.size()) carry += words_[i];
    if (i < other.words_.size()) carry += other.words_[i];
    sum.words_[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  sum.trim();
  return sum;
}

Natural Natural::operator-(const Natural& other) const {
  KERF_CHECK(other <= *this);
  Natural difference = *this;
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t take = borrow + (i < other.words_.size() ? other.words_[i] : 0);
    borrow = words_[i] < take ? 1 : 0;
    difference.words_[i] = static_cast<std::uint32_t>(words_[i] - take);
  }
  difference.trim();
  return difference;
}

Natural Natural::operator*(const Natural& other) const {
  Natural product;
  product.words_.resize(words_.size() + other.words_.size());
  for (std::size_t i = 0; i < words_.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < other.words_.size(); ++j) {
      carry += static_cast<std::uint64_t>(words_[i]) * other.words_[j] + product.words_[i + j];
      product.words_[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    product.words_[i + other.words_.size()] = static_cast<std::uint32_t>(carry);
  }
  product.trim();
  return product;
}

Natural Natural::operator<<(std::size_t bits) const {
  if (is_zero()) return {};
  Natural shifted;
  shifted.words_.resize(words_.size() + bits / 32 + 1);
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::uint64_t wide = static_cast<std::uint64_t>(words_[i]) << (bits % 32);
    shifted.words_[i + bits / 32] |= static_cast<std::uint32_t>(wide);
    shifted.words_[i + bits / 32 + 1] = static_cast<std::uint32_t>(wide >> 32);
  }
  shifted.trim();
  return shifted;
}

Natural Natural::operator>>(std::size_t bits) const {
  Natural shifted;
  const std::size_t skip = bits / 32;
  for (std::size_t i = skip; i < words_.size(); ++i) {
    const std::uint64_t above = i + 1 < words_.size() ? words_[i + 1] : 0;
    shifted.words_.push_back(static_cast<std::uint32_t>((above << 32 | words_[i]) >> (bits % 32)));
  }
  shifted.trim();
  return shifted;
}

std::pair<Natural, Natural> Natural::divide(const Natural& divisor) const {
  KERF_CHECK(!divisor.is_zero());
  if (*this < divisor) return {Natural{}, *this};
  if (divisor.words_.size() == 1) {
    Natural quotient = *this;
    const std::uint32_t remainder = quotient.divide_small(divisor.words_[0]);
    return {std::move(quotient), Natural{remainder}};
  }
  if (const std::size_t twos = divisor.trailing_zeros(); twos + 1 == divisor.bit_length()) {
    Natural quotient = *this >> twos;
    Natural remainder = *this - (quotient << twos);
    return {std::move(quotient), std::move(remainder)};
  }
  // Long division, one binary digit at a time.
  const std::size_t digits = bit_length() - divisor.bit_length() + 1;
  Natural quotient;
  quotient.words_.resize(digits / 32 + 1);
  Natural remainder = *this;
  Natural aligned = divisor << (digits - 1);
  for (std::size_t digit = digits; digit-- > 0; aligned = aligned >> 1) {
    if (aligned > remainder) continue;
    remainder = remainder - aligned;
    quotient.words_[digit / 32] |= 1U << (digit % 32);
  }
  quotient.trim();
  return {std::move(quotient), std::move(remainder)};
}

std::uint32_t Natural::divide_small(std::uint32_t divisor) {
  std::uint64_t remainder = 0;
  for (std::size_t i = words_.size(); i-- > 0;) {
    remainder = remainder << 32 | words_[i];
    words_[i] = static_cast<std::uint32_t>(remainder / divisor);
    remainder %= divisor;
  }
  trim();
  return static_cast<std::uint32_t>(remainder);
}

std::strong_ordering Natural::operator<=>(const Natural& other) const noexcept {
  if (words_.size() != other.words_.size()) return words_.size() <=> other.words_.size();
  for (std::size_t i = words_.size(); i-- > 0;)
    if (words_[i] != other.words_[i]) return words_[i] <=> other.words_[i];
  return std::strong_ordering::equal;
}

std::string Natural::decimal() const {
  constexpr std::uint32_t kChunk = 1'000'000'000;  // nine digits at a time
  if (is_zero()) return "0";
  std::string reversed;
  for (Natural rest = *this; !rest.is_zero();) {
    std::uint32_t chunk = rest.divide_small(kChunk);
    for (int i = 0; i < 9 && (chunk != 0 || !rest.is_zero()); ++i, chunk /= 10)
      reversed += static_cast<char>('0' + chunk % 10);
  }
  return {reversed.rbegin(), reversed.rend()};
}

}  // namespace kerf

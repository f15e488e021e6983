// Little-endian loads and stores, and arithmetic on sizes that come from files.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace kerf {

static_assert(std::endian::native == std::endian::little,
              "on-disk blocks are little-endian and used in place; a big-endian port must swap on load");

/// Reads a T from possibly unaligned bytes.
template <class T>
[[nodiscard]] inline T load_le(const void* source) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, source, sizeof value);
  return value;
}

/// Writes `value` to possibly unaligned bytes.
template <class T>
inline void store_le(void* target, T value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(target, &value, sizeof value);
}

/// a * b, or nothing when it wraps.
[[nodiscard]] inline std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// a + b, or nothing when it wraps.
[[nodiscard]] inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

/// The smallest multiple of `step` that is not below `value`; the caller has ruled out wrap-around.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step) noexcept {
  return (value + step - 1) / step * step;
}

}  // namespace kerf

/// Hot loops of code that is built for the baseline: the compiler makes one version per instruction set
/// and the loader picks. Results are the same bits in each, because nothing is contracted or reassociated
/// (see -ffp-contract=off in CMakeLists.txt). Sanitizers run before the loader can pick, so not there.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(KERF_SANITIZED)
#define KERF_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERF_CLONES
#endif

// What decoding loops need so that the compiler makes vector code of them on every instruction set.
#pragma once

#include <cstdint>
#include <cstring>

namespace kerf::formats {

/// Before a loop of 16 or fewer steps: GCC would take it apart first and find no vectors in the pieces.
#if defined(__clang__)
#define KERF_KEEP_LOOP
#else
#define KERF_KEEP_LOOP _Pragma("GCC unroll 1")
#endif

/// Sixteen bytes as one value, of the vector types that GCC and Clang share.
using Bytes16 = std::uint8_t __attribute__((vector_size(16)));

[[nodiscard]] inline Bytes16 load16(const void* source) noexcept {
  Bytes16 bytes;
  std::memcpy(&bytes, source, sizeof bytes);
  return bytes;
}

inline void store16(void* target, Bytes16 bytes) noexcept {
  std::memcpy(target, &bytes, sizeof bytes);
}

/// Byte i of the result is table[indices[i]]; indices are below 16.
[[nodiscard]] inline Bytes16 lookup16(Bytes16 table, Bytes16 indices) noexcept {
#if defined(__clang__)
  Bytes16 found;
  for (int i = 0; i < 16; ++i) found[i] = table[indices[i]];
  return found;
#else
  return __builtin_shuffle(table, indices);
#endif
}

/// values[j] and values[j + 16] are the table's entries for the low and the high nibble of byte j.
inline void lookup_nibbles(const std::int8_t* table, const std::uint8_t* bytes,
                           std::int8_t* values) noexcept {
  const Bytes16 entries = load16(table);
  const Bytes16 packed = load16(bytes);
  store16(values, lookup16(entries, packed & 15));
  store16(values + 16, lookup16(entries, packed >> 4));
}

}  // namespace kerf::formats

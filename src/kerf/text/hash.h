// A fast hash of short byte strings, for the tables of the tokenizer. Not for files: it may change.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace kerf::text {

/// The two halves of a 64×64 bit product, folded: mixes all bits of both factors.
[[nodiscard]] inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

[[nodiscard]] inline std::uint64_t hash_pair(std::uint32_t a, std::uint32_t b) noexcept {
  return fold_multiply((static_cast<std::uint64_t>(a) << 32 | b) ^ 0x9E3779B97F4A7C15ULL,
                       0xD6E8FEB86659FD93ULL);
}

[[nodiscard]] inline std::uint64_t hash_bytes(std::string_view bytes) noexcept {
  constexpr std::uint64_t kA = 0xA0761D6478BD642FULL, kB = 0xE7037ED1A0B428DBULL;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t hash = fold_multiply(left ^ kA, kB);
  const auto load = [](const char* from, std::size_t n) {
    std::uint64_t value = 0;
    std::memcpy(&value, from, n);
    return value;
  };
  for (; left > 8; at += 8, left -= 8) hash = fold_multiply(hash ^ load(at, 8), kB);
  // The tail by overlapping loads of fixed size, which compile to plain moves.
  std::uint64_t tail = 0;
  if (left == 8)
    tail = load(at, 8);
  else if (left >= 4)
    tail = load(at, 4) | load(at + left - 4, 4) << 32;
  else if (left > 0)
    tail = load(at, 1) | load(at + left / 2, 1) << 8 | load(at + left - 1, 1) << 16;
  return fold_multiply(hash ^ tail, kA);
}

}  // namespace kerf::text

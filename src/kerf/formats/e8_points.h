// Points of the lattice E8, moved by a quarter: the codebooks of K1.5 … K3.5.
//
// D̂8 is the set of vectors of eight odd halves (±1/2, ±3/2 …) with an even sum; it is half of E8, the other
// half being D̂8 + (1/2)^8. Moved by −1/4 and by +1/4, D̂8 gives all points of E8 + (1/4)^8, the densest
// arrangement of spheres in eight dimensions. A code is the direction of the move, the magnitudes and the
// signs; as the sum is even, the magnitudes and seven signs decide the eighth.
// Source: QuIP# (Tseng, Chee, Sun, Kuleshov, De Sa 2024), section 4; the choice of magnitudes is our own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace kerf::formats {

/// The kPoints shortest vectors of kWidth odd halves 1/2 … kLevels − 1/2, times four. Where not all vectors
/// of a length fit, those that stay are spread by a hash of their number. Those with an odd sum get a last
/// coordinate below zero, which makes it even: so in all of them an even number of signs may change.
/// Do not reorder: indices are stored.
template <std::size_t kPoints, std::size_t kWidth, std::size_t kLevels>
constexpr auto shortest_points() {
  constexpr std::size_t kHalves = [] {
    std::size_t n = 1;
    for (std::size_t i = 0; i < kWidth / 2; ++i) n *= kLevels;
    return n;
  }();
  struct Candidate {
    std::uint32_t length;  // Σ (2v)²
    std::uint32_t hash;
    std::uint32_t number;
  };
  // A vector's number in base kLevels spells its coordinates. Compilers count their steps, so vectors are
  // made of two halves each, and only those that are short enough.
  constexpr std::size_t kMaxLength = kWidth / 2 * 4 * kLevels * kLevels;  // of a half
  std::array<std::uint32_t, kHalves> half_length{};
  std::array<std::uint32_t, kMaxLength> halves_of_length{};
  std::array<std::uint32_t, kHalves> by_length{};
  for (std::size_t h = 0; h < kHalves; ++h) {
    for (std::size_t i = 0, digits = h; i < kWidth / 2; ++i, digits /= kLevels) {
      const auto twice = static_cast<std::uint32_t>(2 * (digits % kLevels) + 1);
      half_length[h] += twice * twice;
    }
    ++halves_of_length[half_length[h]];
    by_length[h] = static_cast<std::uint32_t>(h);
  }
  std::sort(by_length.begin(), by_length.end(),
            [&](std::uint32_t a, std::uint32_t b) { return half_length[a] < half_length[b]; });
  std::array<std::uint32_t, 2 * kMaxLength> of_length{};
  for (std::size_t a = 0; a < kMaxLength; ++a)
    if (halves_of_length[a] != 0)
      for (std::size_t b = 0; b < kMaxLength; ++b)
        if (halves_of_length[b] != 0) of_length[a + b] += halves_of_length[a] * halves_of_length[b];
  std::uint32_t longest = 0;
  for (std::size_t n = 0; n < kPoints; ++longest) n += of_length[longest];

  std::array<Candidate, 2 * kPoints + 512> candidates{};
  std::size_t n = 0;
  for (std::uint32_t first = 0; first < kHalves; ++first)
    for (const std::uint32_t second : by_length) {
      const std::uint32_t length = half_length[first] + half_length[second];
      if (length >= longest) break;
      const auto number = static_cast<std::uint32_t>(first * kHalves + second);
      candidates[n++] = {length, number * 2654435761U, number};
    }
  std::sort(candidates.begin(), candidates.begin() + n, [](const Candidate& a, const Candidate& b) {
    return a.length != b.length ? a.length < b.length : a.hash < b.hash;
  });

  std::array<std::array<std::int8_t, kWidth>, kPoints> points{};
  for (std::size_t p = 0; p < kPoints; ++p) {
    std::uint32_t sum = 0;  // of 2v
    std::size_t number = candidates[p].number;
    for (std::size_t i = kWidth; i-- > 0; number /= kLevels) {
      sum += static_cast<std::uint32_t>(2 * (number % kLevels) + 1);
      points[p][i] = static_cast<std::int8_t>(4 * (number % kLevels) + 2);
    }
    if (sum / 2 % 2 != 0) points[p][kWidth - 1] = static_cast<std::int8_t>(-points[p][kWidth - 1]);
  }
  return points;
}

}  // namespace kerf::formats

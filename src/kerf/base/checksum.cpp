#include "kerf/base/checksum.h"

#include <bit>
#include <cstring>

#include "kerf/base/bits.h"
#include "kerf/base/rng.h"

namespace kerf {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;  // 2^64 / golden ratio

constexpr std::uint64_t step(std::uint64_t lane, std::uint64_t word) noexcept {
  return std::rotl((lane ^ word) * kOdd, 29);
}

}  // namespace

std::uint64_t checksum(Bytes bytes, std::uint64_t seed) noexcept {
  std::uint64_t lane[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lane[i] = mix64(seed + i);
  const std::size_t n = bytes.size();
  std::size_t at = 0;
  for (; at + 8 * kLanes <= n; at += 8 * kLanes)
    for (std::size_t i = 0; i < kLanes; ++i)
      lane[i] = step(lane[i], load_le<std::uint64_t>(bytes.data() + at + 8 * i));
  std::uint8_t rest[8 * kLanes] = {};
  if (at < n) std::memcpy(rest, bytes.data() + at, n - at);
  for (std::size_t i = 0; i < kLanes; ++i) lane[i] = step(lane[i], load_le<std::uint64_t>(rest + 8 * i));
  std::uint64_t sum = mix64(n);
  for (const std::uint64_t value : lane) sum = mix64(sum ^ value);
  return sum;
}

}  // namespace kerf

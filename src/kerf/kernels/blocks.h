// Where things are inside the blocks that the encoded loops read, and the packed scales of the K formats.
// The byte maps themselves are at the heads of formats/*.cpp; conformance_test.cpp compares with those
// formats bit for bit. Everything has internal linkage: the files of every ISA folder include this.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kerf::kernels {
namespace {

using Bytes = const std::uint8_t*;

inline std::uint16_t load_u16(Bytes p) {
  std::uint16_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline std::uint32_t load_u32(Bytes p) {
  std::uint32_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

/// Numbers of GGUF types: do not renumber.
enum GgufType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kBF16 = 30,
};

/// The sixteen levels of IQ4_NL and IQ4_XS.
constexpr std::int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};

// The functions below treat four packed bytes at a time as one 32-bit word.

/// The eight 6-bit scales and minima that follow the two factors of Q4_K and Q5_K.
struct ScalesAndMins {
  std::uint8_t scale[8];
  std::uint8_t min[8];
};
inline ScalesAndMins unpack_scales_and_mins(Bytes packed) {
  const std::uint32_t a = load_u32(packed);
  const std::uint32_t b = load_u32(packed + 4);
  const std::uint32_t c = load_u32(packed + 8);
  const std::uint32_t words[4] = {
      a & 0x3F3F3F3FU, (c & 0x0F0F0F0FU) | (a >> 2 & 0x30303030U),       //
      b & 0x3F3F3F3FU, (c >> 4 & 0x0F0F0F0FU) | (b >> 2 & 0x30303030U),  //
  };
  ScalesAndMins unpacked;
  __builtin_memcpy(&unpacked, words, sizeof unpacked);
  return unpacked;
}

/// The sixteen 6-bit scales of Q3_K, still 32 too large.
struct SixteenScales {
  std::uint8_t scale[16];
};
inline SixteenScales unpack_q3_k_scales(Bytes packed) {
  const std::uint32_t low[2] = {load_u32(packed), load_u32(packed + 4)};
  const std::uint32_t high = load_u32(packed + 8);
  const std::uint32_t words[4] = {
      (low[0] & 0x0F0F0F0FU) | (high << 4 & 0x30303030U),
      (low[1] & 0x0F0F0F0FU) | (high << 2 & 0x30303030U),
      (low[0] >> 4 & 0x0F0F0F0FU) | (high & 0x30303030U),
      (low[1] >> 4 & 0x0F0F0F0FU) | (high >> 2 & 0x30303030U),
  };
  SixteenScales unpacked;
  __builtin_memcpy(&unpacked, words, sizeof unpacked);
  return unpacked;
}

/// The scale of group g of IQ4_XS, −32 … 31.
inline int iq4_xs_scale(Bytes block, std::size_t g) {
  const unsigned low = block[4 + g / 2] >> 4 * (g % 2) & 15U;
  const unsigned high = static_cast<unsigned>(load_u16(block + 2)) >> 2 * g & 3U;
  return static_cast<int>(low | high << 4) - 32;
}

}  // namespace
}  // namespace kerf::kernels

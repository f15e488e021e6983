// Decoding of blocks into registers; encoded_rows.h says what such a struct holds.
//
// Codes are brought into one register of 32 bytes in the order of the numbers, then widened and scaled.
// All values have the bits that the format's own decode() gives: products of a scale and a code fit the 24
// bits of binary32, so that one fused multiply-add rounds exactly where a multiplication and an addition do.
#pragma once

#include "kerf/kernels/avx2/lanes.h"
#include "kerf/kernels/blocks.h"

namespace kerf::kernels {
namespace {

KERF_INLINE Vector splat_f16(Bytes p) {
  return _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(load_u16(p))));
}
KERF_INLINE __m128i load_16(Bytes p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
KERF_INLINE __m256i load_32(Bytes p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
/// Bits `mask` of every byte, `shift` <= 7 places to the right.
template <int shift, int mask>
KERF_INLINE __m256i bits(__m256i v) {
  return _mm256_and_si256(_mm256_srli_epi16(v, shift), _mm256_set1_epi8(mask));
}

/// Numbers j in the low, j + 16 in the high nibble of byte j, as bytes in order.
KERF_INLINE __m256i nibbles(Bytes codes) {
  const __m128i both = load_16(codes);
  const __m256i apart = _mm256_inserti128_si256(_mm256_castsi128_si256(both), _mm_srli_epi16(both, 4), 1);
  return _mm256_and_si256(apart, _mm256_set1_epi8(15));
}
/// All ones in byte j if bit j of the word is set.
KERF_INLINE __m256i spread_bits(std::uint32_t word) {
  const __m256i byte_of = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ULL));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(word)), byte_of);
  return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
}
KERF_INLINE __m256i iq4_levels(__m256i codes) {
  const __m256i levels = _mm256_broadcastsi128_si256(load_16(reinterpret_cast<Bytes>(kIq4Levels)));
  return _mm256_shuffle_epi8(levels, codes);
}

/// 32 signed bytes as floats.
KERF_INLINE void convert(__m256i codes, Vector* q) {
  const __m128i halves[2] = {_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m128i eight = i % 2 != 0 ? _mm_unpackhi_epi64(halves[i / 2], halves[i / 2]) : halves[i / 2];
    q[i] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
  }
}
KERF_INLINE void scale_codes(__m256i codes, Vector scale, Vector* w) {
  convert(codes, w);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) w[i] = multiply(w[i], scale);
}
KERF_INLINE void scale_codes(__m256i codes, Vector scale, Vector offset, Vector* w) {
  convert(codes, w);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) w[i] = multiply_add(w[i], scale, offset);
}

/// What the formats with blocks of 32 have in common: one group, nothing to prepare.
template <GgufType type, std::uint32_t bytes>
struct Block32 {
  static constexpr std::uint32_t kType = type;
  static constexpr std::uint32_t kSize = 32;
  static constexpr std::uint32_t kBytes = bytes;
  static constexpr int kGroups = 1;
  static constexpr int kVectors = 4;
  struct Head {};
  static KERF_INLINE Head head(Bytes) { return {}; }
};

struct Q4_0 : Block32<kQ4_0, 18> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, Vector* w) {
    scale_codes(_mm256_sub_epi8(nibbles(block + 2), _mm256_set1_epi8(8)), splat_f16(block), w);
  }
};

struct Q4_1 : Block32<kQ4_1, 20> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, Vector* w) {
    scale_codes(nibbles(block + 4), splat_f16(block), splat_f16(block + 2), w);
  }
};

struct IQ4_NL : Block32<kIQ4_NL, 18> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, Vector* w) {
    scale_codes(iq4_levels(nibbles(block + 2)), splat_f16(block), w);
  }
};

struct Q5_0 : Block32<kQ5_0, 22> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, Vector* w) {
    // 16 is taken from the codes whose fifth bit is not set: −16 is 0xF0.
    const __m256i high = _mm256_andnot_si256(spread_bits(load_u32(block + 2)), _mm256_set1_epi8(-16));
    scale_codes(_mm256_or_si256(nibbles(block + 6), high), splat_f16(block), w);
  }
};

struct Q5_1 : Block32<kQ5_1, 24> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, Vector* w) {
    const __m256i high = _mm256_and_si256(spread_bits(load_u32(block + 4)), _mm256_set1_epi8(16));
    scale_codes(_mm256_or_si256(nibbles(block + 8), high), splat_f16(block), splat_f16(block + 2), w);
  }
};

struct Q8_0 : Block32<kQ8_0, 34> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, Vector* w) {
    scale_codes(load_32(block + 2), splat_f16(block), w);
  }
};

// --- blocks of 256, in groups of 32 ---

template <GgufType type, std::uint32_t bytes>
struct Block256 {
  static constexpr std::uint32_t kType = type;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = bytes;
  static constexpr int kGroups = 8;
  static constexpr int kVectors = 4;
};

/// n scales and offsets in memory, from where they are spread over a register.
template <int n>
struct Scales {
  alignas(32) float scale[n];
};
template <int n>
struct ScalesAndOffsets : Scales<n> {
  alignas(32) float offset[n];
};

/// target[i] = factor · codes[i] for eight bytes.
KERF_INLINE void scale_eight(Vector factor, __m128i codes, float* target) {
  _mm256_store_ps(target, multiply(factor, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes))));
}
KERF_INLINE void scale_sixteen(Vector factor, __m128i codes, float* target) {
  scale_eight(factor, codes, target);
  scale_eight(factor, _mm_unpackhi_epi64(codes, codes), target + 8);
}
KERF_INLINE Vector negative(Vector v) {
  return _mm256_xor_ps(v, splat(-0.0F));
}

/// f16 d, f16 dmin and twelve packed bytes.
KERF_INLINE ScalesAndOffsets<8> k_scales(Bytes block) {
  const ScalesAndMins packed = unpack_scales_and_mins(block + 4);
  const __m128i both = load_16(packed.scale);
  ScalesAndOffsets<8> h;
  scale_eight(splat_f16(block), both, h.scale);
  scale_eight(negative(splat_f16(block + 2)), _mm_unpackhi_epi64(both, both), h.offset);
  return h;
}

struct Q4_K : Block256<kQ4_K, 144> {
  using Head = ScalesAndOffsets<8>;
  static KERF_INLINE Head head(Bytes block) { return k_scales(block); }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, Vector* w) {
    const __m256i codes = bits<4 * (g % 2), 15>(load_32(block + 16 + 32 * (g / 2)));
    scale_codes(codes, splat(h.scale[g]), splat(h.offset[g]), w);
  }
};

struct Q5_K : Block256<kQ5_K, 176> {
  using Head = ScalesAndOffsets<8>;
  static KERF_INLINE Head head(Bytes block) { return k_scales(block); }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, Vector* w) {
    const __m256i low = bits<4 * (g % 2), 15>(load_32(block + 48 + 32 * (g / 2)));
    const __m256i fifth = _mm256_slli_epi16(bits<g, 1>(load_32(block + 16)), 4);
    scale_codes(_mm256_or_si256(low, fifth), splat(h.scale[g]), splat(h.offset[g]), w);
  }
};

// The formats with two bits in one plane: group g is plane k of half h of the block.
// Two scales to a group: one for each 16 numbers.
KERF_INLINE void scale_pairs(__m256i codes, const float* scale, Vector* w) {
  convert(codes, w);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) w[i] = multiply(w[i], splat(scale[i / 2]));
}

struct Q6_K : Block256<kQ6_K, 210> {
  using Head = Scales<16>;
  static KERF_INLINE Head head(Bytes block) {
    Head h;
    scale_sixteen(splat_f16(block + 208), load_16(block + 192), h.scale);
    return h;
  }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, Vector* w) {
    constexpr int half = g / 4;
    constexpr int k = g % 4;
    const __m256i low = bits<4 * (k / 2), 15>(load_32(block + 64 * half + 32 * (k % 2)));
    const __m256i high = _mm256_slli_epi16(bits<2 * k, 3>(load_32(block + 128 + 32 * half)), 4);
    scale_pairs(_mm256_sub_epi8(_mm256_or_si256(low, high), _mm256_set1_epi8(32)), h.scale + 2 * g, w);
  }
};

struct Q3_K : Block256<kQ3_K, 110> {
  using Head = Scales<16>;
  static KERF_INLINE Head head(Bytes block) {
    const SixteenScales packed = unpack_q3_k_scales(block + 96);
    Head h;
    scale_sixteen(splat_f16(block + 108), _mm_sub_epi8(load_16(packed.scale), _mm_set1_epi8(32)), h.scale);
    return h;
  }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, Vector* w) {
    const __m256i low = bits<2 * (g % 4), 3>(load_32(block + 32 + 32 * (g / 4)));
    const __m256i third = _mm256_slli_epi16(bits<g, 1>(load_32(block)), 2);
    scale_pairs(_mm256_sub_epi8(_mm256_or_si256(low, third), _mm256_set1_epi8(4)), h.scale + 2 * g, w);
  }
};

struct Q2_K : Block256<kQ2_K, 84> {
  using Head = ScalesAndOffsets<16>;
  static KERF_INLINE Head head(Bytes block) {
    const __m128i both = load_16(block);
    const __m128i low_bits = _mm_set1_epi8(15);
    Head h;
    scale_sixteen(splat_f16(block + 80), _mm_and_si128(both, low_bits), h.scale);
    scale_sixteen(negative(splat_f16(block + 82)), _mm_and_si128(_mm_srli_epi16(both, 4), low_bits),
                  h.offset);
    return h;
  }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, Vector* w) {
    convert(bits<2 * (g % 4), 3>(load_32(block + 16 + 32 * (g / 4))), w);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      w[i] = multiply_add(w[i], splat(h.scale[2 * g + i / 2]), splat(h.offset[2 * g + i / 2]));
  }
};

struct IQ4_XS : Block256<kIQ4_XS, 136> {
  struct Head {
    Vector d;
  };
  static KERF_INLINE Head head(Bytes block) { return {splat_f16(block)}; }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, Vector* w) {
    const Vector scale = multiply(h.d, splat(static_cast<float>(iq4_xs_scale(block, g))));
    scale_codes(iq4_levels(nibbles(block + 8 + 16 * g)), scale, w);
  }
};

}  // namespace
}  // namespace kerf::kernels

// Decoding of blocks into registers; encoded_rows.h says what such a struct holds.
//
// Four-bit and smaller codes are not converted: the 16 possible values of a group are computed once and
// looked up with vpermps, which reads only the low four bits of an index, so nibbles need no masking.
// All values have the bits that the format's own decode() gives: products of a scale and a code fit the 24
// bits of binary32, so that one fused multiply-add rounds exactly where a multiplication and an addition do.
#pragma once

#include "kerf/kernels/avx512vnni/lanes.h"
#include "kerf/kernels/blocks.h"

namespace kerf::kernels {
namespace {

/// A binary16 in every lane.
KERF_INLINE __m512 splat_f16(Bytes p) {
  return _mm512_cvtph_ps(_mm256_set1_epi16(static_cast<short>(load_u16(p))));
}
KERF_INLINE __m256 splat_f16_x8(Bytes p) {
  return _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(load_u16(p))));
}
/// 16 bytes, one per lane.
KERF_INLINE __m512i spread_bytes(Bytes p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
/// 0 … 15
KERF_INLINE __m512 consecutive() {
  return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
KERF_INLINE __m512 iq4_levels() {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kIq4Levels))));
}

/// Numbers j in the low, j + 16 in the high nibble of byte j.
KERF_INLINE void look_up_nibbles(Bytes codes, __m512 values, __m512* w) {
  const __m512i both = spread_bytes(codes);
  w[0] = _mm512_permutexvar_ps(both, values);
  w[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(both, 4), values);
}
/// The same codes as bytes in order.
KERF_INLINE __m256i nibbles(Bytes codes) {
  const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m256i apart = _mm256_inserti128_si256(_mm256_castsi128_si256(both), _mm_srli_epi16(both, 4), 1);
  return _mm256_and_si256(apart, _mm256_set1_epi8(15));
}

/// 32 signed bytes as floats.
KERF_INLINE void convert(__m256i codes, __m512* q) {
  q[0] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(codes)));
  q[1] = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(codes, 1)));
}
KERF_INLINE void scale_bytes(__m256i codes, __m512 scale, __m512* w) {
  convert(codes, w);
  for (int i = 0; i < 2; ++i) w[i] = _mm512_mul_ps(w[i], scale);
}
KERF_INLINE void scale_bytes(__m256i codes, __m512 scale, __m512 offset, __m512* w) {
  convert(codes, w);
  for (int i = 0; i < 2; ++i) w[i] = _mm512_fmadd_ps(w[i], scale, offset);
}

/// What the formats with blocks of 32 have in common: one group, nothing to prepare.
template <GgufType type, std::uint32_t bytes>
struct Block32 {
  static constexpr std::uint32_t kType = type;
  static constexpr std::uint32_t kSize = 32;
  static constexpr std::uint32_t kBytes = bytes;
  static constexpr int kGroups = 1;
  static constexpr int kVectors = 2;
  struct Head {};
  static KERF_INLINE Head head(Bytes) { return {}; }
};

struct Q4_0 : Block32<kQ4_0, 18> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, __m512* w) {
    const __m512 levels = _mm512_sub_ps(consecutive(), _mm512_set1_ps(8));
    look_up_nibbles(block + 2, _mm512_mul_ps(levels, splat_f16(block)), w);
  }
};

struct Q4_1 : Block32<kQ4_1, 20> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, __m512* w) {
    look_up_nibbles(block + 4, _mm512_fmadd_ps(consecutive(), splat_f16(block), splat_f16(block + 2)), w);
  }
};

struct IQ4_NL : Block32<kIQ4_NL, 18> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, __m512* w) {
    look_up_nibbles(block + 2, _mm512_mul_ps(iq4_levels(), splat_f16(block)), w);
  }
};

struct Q5_0 : Block32<kQ5_0, 22> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, __m512* w) {
    // 16 is taken from the codes whose fifth bit is not set.
    const __m256i low = nibbles(block + 6);
    const __m256i codes = _mm256_mask_sub_epi8(low, ~load_u32(block + 2), low, _mm256_set1_epi8(16));
    scale_bytes(codes, splat_f16(block), w);
  }
};

struct Q5_1 : Block32<kQ5_1, 24> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, __m512* w) {
    const __m256i low = nibbles(block + 8);
    const __m256i codes = _mm256_mask_add_epi8(low, load_u32(block + 4), low, _mm256_set1_epi8(16));
    scale_bytes(codes, splat_f16(block), splat_f16(block + 2), w);
  }
};

struct Q8_0 : Block32<kQ8_0, 34> {
  template <int>
  static KERF_INLINE void group(Bytes block, const Head&, __m512* w) {
    const __m512 d = splat_f16(block);
    for (int i = 0; i < 2; ++i) {
      const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2 + 16 * i));
      w[i] = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), d);
    }
  }
};

// --- blocks of 256: the scales of all groups lie in memory, from where they are spread over a register ---

struct ScalesAndOffsets8 {
  alignas(32) float scale[8];
  alignas(32) float offset[8];
};

/// f16 d, f16 dmin and twelve packed bytes.
KERF_INLINE ScalesAndOffsets8 k_scales(Bytes block) {
  const ScalesAndMins packed = unpack_scales_and_mins(block + 4);
  const auto floats = [](const std::uint8_t* codes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes))));
  };
  const __m256 minus_dmin = _mm256_xor_ps(splat_f16_x8(block + 2), _mm256_set1_ps(-0.0F));
  ScalesAndOffsets8 h;
  _mm256_store_ps(h.scale, _mm256_mul_ps(floats(packed.scale), splat_f16_x8(block)));
  _mm256_store_ps(h.offset, _mm256_mul_ps(floats(packed.min), minus_dmin));
  return h;
}

struct Q4_K {
  static constexpr std::uint32_t kType = kQ4_K;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = 144;
  static constexpr int kGroups = 4;
  static constexpr int kVectors = 4;
  using Head = ScalesAndOffsets8;
  static KERF_INLINE Head head(Bytes block) { return k_scales(block); }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, __m512* w) {
    const __m512i both[2] = {spread_bytes(block + 16 + 32 * g), spread_bytes(block + 32 + 32 * g)};
    for (int high = 0; high < 2; ++high) {
      const __m512 values = _mm512_fmadd_ps(consecutive(), _mm512_set1_ps(h.scale[2 * g + high]),
                                            _mm512_set1_ps(h.offset[2 * g + high]));
      for (int i = 0; i < 2; ++i)
        w[2 * high + i] = _mm512_permutexvar_ps(high != 0 ? _mm512_srli_epi32(both[i], 4) : both[i], values);
    }
  }
};

struct Q5_K {
  static constexpr std::uint32_t kType = kQ5_K;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = 176;
  static constexpr int kGroups = 4;
  static constexpr int kVectors = 4;
  using Head = ScalesAndOffsets8;
  static KERF_INLINE Head head(Bytes block) { return k_scales(block); }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, __m512* w) {
    const __m256i fifth = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 16));
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 48 + 32 * g));
    for (int high = 0; high < 2; ++high) {
      const int i = 2 * g + high;
      const __m256i low =
          _mm256_and_si256(high != 0 ? _mm256_srli_epi16(both, 4) : both, _mm256_set1_epi8(15));
      const __mmask32 set = _mm256_test_epi8_mask(fifth, _mm256_set1_epi8(static_cast<char>(1 << i)));
      const __m256i codes = _mm256_mask_add_epi8(low, set, low, _mm256_set1_epi8(16));
      scale_bytes(codes, _mm512_set1_ps(h.scale[i]), _mm512_set1_ps(h.offset[i]), w + 2 * high);
    }
  }
};

struct Q6_K {
  static constexpr std::uint32_t kType = kQ6_K;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = 210;
  static constexpr int kGroups = 4;
  static constexpr int kVectors = 4;
  struct Head {
    alignas(64) float scale[16];
  };
  static KERF_INLINE Head head(Bytes block) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 192));
    Head h;
    _mm512_store_ps(h.scale,
                    _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes)), splat_f16(block + 208)));
    return h;
  }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, __m512* w) {
    constexpr int half = g / 2;
    constexpr bool high_nibbles = g % 2 != 0;
    __m512i low = _mm512_loadu_si512(block + 64 * half);
    if constexpr (high_nibbles) low = _mm512_srli_epi16(low, 4);
    // Two bits at 2k, k = 2·(g % 2) + (0, 1) for the two halves of the register, move to bit 4. Bits that
    // come in from neighbouring bytes are masked off.
    const __m512i top =
        _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 128 + 32 * half)));
    const __m512i at_4 = high_nibbles ? _mm512_srlv_epi64(top, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2))
                                      : _mm512_sllv_epi64(top, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2));
    const __m512i codes = _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi8(0x0F)),
                                          _mm512_and_si512(at_4, _mm512_set1_epi8(0x30)));
    const __m512i centred = _mm512_sub_epi8(codes, _mm512_set1_epi8(32));
    convert(_mm512_castsi512_si256(centred), w);
    convert(_mm512_extracti64x4_epi64(centred, 1), w + 2);
    for (int i = 0; i < 4; ++i) w[i] = _mm512_mul_ps(w[i], _mm512_set1_ps(h.scale[4 * g + i]));
  }
};

struct Q2_K {
  static constexpr std::uint32_t kType = kQ2_K;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = 84;
  static constexpr int kGroups = 2;
  static constexpr int kVectors = 8;
  struct Head {
    alignas(64) float scale[16];
    alignas(64) float offset[16];
  };
  static KERF_INLINE Head head(Bytes block) {
    const __m512i packed = spread_bytes(block);
    const __m512 minus_dmin = _mm512_xor_ps(splat_f16(block + 82), _mm512_set1_ps(-0.0F));
    Head h;
    _mm512_store_ps(h.scale, _mm512_mul_ps(splat_f16(block + 80), _mm512_cvtepi32_ps(_mm512_and_si512(
                                                                      packed, _mm512_set1_epi32(15)))));
    _mm512_store_ps(h.offset, _mm512_mul_ps(minus_dmin, _mm512_cvtepi32_ps(_mm512_srli_epi32(packed, 4))));
    return h;
  }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, __m512* w) {
    // The four values repeat, so that the two bits above a code do not matter.
    const __m512 codes = _mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    const __m512i four[2] = {spread_bytes(block + 16 + 32 * g), spread_bytes(block + 32 + 32 * g)};
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) {
      const __m512 values = _mm512_fmadd_ps(codes, _mm512_set1_ps(h.scale[kVectors * g + i]),
                                            _mm512_set1_ps(h.offset[kVectors * g + i]));
      w[i] = _mm512_permutexvar_ps(_mm512_srli_epi32(four[i % 2], static_cast<unsigned>(i / 2 * 2)), values);
    }
  }
};

struct Q3_K {
  static constexpr std::uint32_t kType = kQ3_K;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = 110;
  static constexpr int kGroups = 2;
  static constexpr int kVectors = 8;
  struct Head {
    alignas(64) float scale[16];
  };
  static KERF_INLINE Head head(Bytes block) {
    const SixteenScales packed = unpack_q3_k_scales(block + 96);
    const __m512i centred = _mm512_sub_epi32(spread_bytes(packed.scale), _mm512_set1_epi32(32));
    Head h;
    _mm512_store_ps(h.scale, _mm512_mul_ps(_mm512_cvtepi32_ps(centred), splat_f16(block + 108)));
    return h;
  }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, __m512* w) {
    // The values without and with the third bit; both repeat, as in Q2_K.
    const __m512 without = _mm512_setr_ps(-4, -3, -2, -1, -4, -3, -2, -1, -4, -3, -2, -1, -4, -3, -2, -1);
    const __m512 with = _mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    const __m512i four[2] = {spread_bytes(block + 32 + 32 * g), spread_bytes(block + 48 + 32 * g)};
    const __m256i third = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const __mmask32 set =
          _mm256_test_epi8_mask(third, _mm256_set1_epi8(static_cast<char>(1 << (4 * g + k))));
      for (int i = 0; i < 2; ++i) {
        const __m512 scale = _mm512_set1_ps(h.scale[kVectors * g + 2 * k + i]);
        const __m512i code = _mm512_srli_epi32(four[i], static_cast<unsigned>(2 * k));
        const __m512 value = _mm512_permutexvar_ps(code, without);
        w[2 * k + i] = _mm512_mul_ps(
            _mm512_mask_permutexvar_ps(value, static_cast<__mmask16>(set >> 16 * i), code, with), scale);
      }
    }
  }
};

struct IQ4_XS {
  static constexpr std::uint32_t kType = kIQ4_XS;
  static constexpr std::uint32_t kSize = 256;
  static constexpr std::uint32_t kBytes = 136;
  static constexpr int kGroups = 8;
  static constexpr int kVectors = 2;
  struct Head {
    __m512 d;
  };
  static KERF_INLINE Head head(Bytes block) { return {splat_f16(block)}; }
  template <int g>
  static KERF_INLINE void group(Bytes block, const Head& h, __m512* w) {
    const __m512 scale = _mm512_mul_ps(h.d, _mm512_set1_ps(static_cast<float>(iq4_xs_scale(block, g))));
    look_up_nibbles(block + 8 + 16 * g, _mm512_mul_ps(iq4_levels(), scale), w);
  }
};

}  // namespace
}  // namespace kerf::kernels

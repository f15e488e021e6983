// AVX2 with FMA and F16C: the simple loops, and the table.
#include "kerf/kernels/avx2/functions.h"
#include "kerf/kernels/avx2/lanes.h"

namespace kerf::kernels {
namespace {

void axpy_f32(float scale, const float* x, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    store(lanes, y + i, _mm256_fmadd_ps(_mm256_set1_ps(scale), load(lanes, x + i), load(lanes, y + i)));
  });
}

float sum_squares(const float* x, std::size_t n) {
  return avx2::dot_f32(x, x, n);
}

float max_f32(const float* x, std::size_t n) {
  __m256 largest = _mm256_set1_ps(x[0]);
  // max(v, largest) keeps `largest` when v is NaN, as the definition does.
  for_lanes(n, [&](std::size_t i, auto lanes) {
    largest = _mm256_max_ps(blend(lanes, largest, load(lanes, x + i)), largest);
  });
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

void scale_by(const float* x, float scale, const float* weight, float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    const __m256 scaled = _mm256_mul_ps(load(lanes, x + i), _mm256_set1_ps(scale));
    store(lanes, y + i, _mm256_mul_ps(scaled, load(lanes, weight + i)));
  });
}

void scale_f32(float scale, float* x, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    store(lanes, x + i, _mm256_mul_ps(load(lanes, x + i), _mm256_set1_ps(scale)));
  });
}

void rotate_halves(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for_lanes(n_pairs, [&](std::size_t i, auto lanes) {
    const __m256 a = load(lanes, x + i);
    const __m256 b = load(lanes, x + i + n_pairs);
    const __m256 c = load(lanes, cos + i);
    const __m256 s = load(lanes, sin + i);
    store(lanes, x + i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
    store(lanes, x + i + n_pairs, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
  });
}

// Spreads numbers 0 … 3 over the pairs of lanes.
KERF_INLINE __m256 spread(__m128 v) {
  return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(v), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

// Runs over single numbers: cos and sin are spread to both members of a pair, whose second member is
// fetched by swapping neighbours. even: a·c − b·s; odd: b·c + a·s.
void rotate_neighbours(float* x, const float* cos, const float* sin, std::size_t n_pairs) {
  for_lanes(2 * n_pairs, [&](std::size_t i, auto lanes) {
    const std::size_t left = n_pairs - i / 2;
    const __m128i pairs = _mm256_castsi256_si128(first(left < 4 ? left : 4).mask);
    const __m256 v = load(lanes, x + i);
    const __m256 swapped = _mm256_permute_ps(v, 0xB1);
    const __m256 c = spread(_mm_maskload_ps(cos + i / 2, pairs));
    const __m256 s = spread(_mm_maskload_ps(sin + i / 2, pairs));
    store(lanes, x + i, _mm256_fmaddsub_ps(v, c, _mm256_mul_ps(swapped, s)));
  });
}

KERF_INLINE __m128i load_halves(All, const std::uint16_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
KERF_INLINE __m128i load_halves(First lanes, const std::uint16_t* p) {
  __m128i v = _mm_setzero_si128();
  __builtin_memcpy(&v, p, lanes.n * sizeof *p);
  return v;
}
KERF_INLINE void store_halves(All, std::uint16_t* p, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
}
KERF_INLINE void store_halves(First lanes, std::uint16_t* p, __m128i v) {
  __builtin_memcpy(p, &v, lanes.n * sizeof *p);
}

void f16_to_f32(const std::uint16_t* x, float* y, std::size_t n) {
  for_lanes(
      n, [&](std::size_t i, auto lanes) { store(lanes, y + i, _mm256_cvtph_ps(load_halves(lanes, x + i))); });
}

void f32_to_f16(const float* x, std::uint16_t* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, auto lanes) {
    store_halves(lanes, y + i,
                 _mm256_cvtps_ph(load(lanes, x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  });
}

}  // namespace

const KernelTable avx2_table{.isa = "avx2",
                             .dot_f32 = avx2::dot_f32,
                             .axpy_f32 = axpy_f32,
                             .gemm_f32 = avx2::gemm_f32,
                             .weighted_sum = avx2::weighted_sum,
                             .sum_squares = sum_squares,
                             .max_f32 = max_f32,
                             .scale_by = scale_by,
                             .scale_f32 = scale_f32,
                             .exp_shifted = avx2::exp_shifted,
                             .silu_mul = avx2::silu_mul,
                             .gelu_mul = avx2::gelu_mul,
                             .rotate_halves = rotate_halves,
                             .rotate_neighbours = rotate_neighbours,
                             .f16_to_f32 = f16_to_f32,
                             .f32_to_f16 = f32_to_f16,
                             .encoded = nullptr,
                             .n_encoded = 0};

}  // namespace kerf::kernels

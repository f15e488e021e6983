// The table of low-level loops that one instruction set provides. Files in scalar/, avx2/, avx512vnni/
// include only this header, headers of their own folder, <cstdint>, <cstddef> and intrinsics: an inline
// function of another header, compiled there with that folder's flags, could be linked into code that must
// run on any CPU. tools/check_kernel_symbols.py holds them to it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kerf::kernels {

/// Loops over rows of one block format in their file's bytes. Decoding gives the same bits as the format's
/// own decode(); a row's dot product gives the same bits as decoding it and calling gemm_f32.
struct EncodedRows {
  std::uint32_t gguf_type;   ///< number of the format in GGUF files: do not renumber
  std::uint32_t block_size;  ///< numbers per block
  std::uint32_t block_bytes;
  /// dst[k] = number k of the row at src, k < n_k; n_k is a multiple of block_size.
  void (*decode)(const std::uint8_t* src, float* dst, std::size_t n_k);
  /// y[r] = Σ_k x[k]·w[r, k] for r < n_r; row r starts r·n_k/block_size·block_bytes bytes after w.
  void (*matvec)(const std::uint8_t* w, const float* x, float* y, std::size_t n_r, std::size_t n_k);
};

/// All loops are noexcept, allocate nothing and check nothing; sizes are in elements unless they say bytes,
/// and 0 is a size. Pointers need no more alignment than their type. Integer results are equal bit for bit
/// on every instruction set; float results agree within the bound that the order of summation gives.
/// Element i of an output never depends on its place in the array nor on n.
struct KernelTable {
  const char* isa;  ///< folder name = value of KERF_ISA

  // --- products and sums ---
  /// Σ a[i]·b[i], the same bits as gemm_f32 gives for these rows.
  float (*dot_f32)(const float* a, const float* b, std::size_t n);
  /// y[i] += scale · x[i]
  void (*axpy_f32)(float scale, const float* x, float* y, std::size_t n);
  /// C[t, r] = Σ_k A[t, k]·B[r, k] for t < T, r < R; rows of A, B, C start lda, ldb, ldc floats apart.
  /// The bits of C[t, r] depend on row t of A, row r of B and K only.
  void (*gemm_f32)(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c,
                   std::size_t ldc, std::size_t n_t, std::size_t n_r, std::size_t n_k);
  /// y[i] = Σ_j weight[j]·x[j, i] for i < n, summed in the order of j < n_j; rows of x start ldx floats
  /// apart. What attention does with its values. y must not overlap the inputs.
  void (*weighted_sum)(const float* weight, const float* x, std::size_t ldx, float* y, std::size_t n_j,
                       std::size_t n);
  /// Σ x[i]²
  float (*sum_squares)(const float* x, std::size_t n);
  /// max x[i]; n > 0
  float (*max_f32)(const float* x, std::size_t n);

  // --- element by element; an output may be one of the inputs ---
  /// y[i] = (x[i] · scale) · weight[i]: the second half of RMSNorm.
  void (*scale_by)(const float* x, float scale, const float* weight, float* y, std::size_t n);
  /// x[i] *= scale
  void (*scale_f32)(float scale, float* x, std::size_t n);
  /// y[i] = exp(x[i] − shift); returns the sum. −∞ gives 0.
  float (*exp_shifted)(const float* x, float shift, float* y, std::size_t n);
  /// y[i] = silu(gate[i]) · up[i] with silu(x) = x / (1 + exp(−x)).
  void (*silu_mul)(const float* gate, const float* up, float* y, std::size_t n);
  /// y[i] = gelu(gate[i]) · up[i], the tanh form: gelu(x) = x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
  void (*gelu_mul)(const float* gate, const float* up, float* y, std::size_t n);
  /// Turns the pairs (x[i], x[i + n_pairs]) by the angle with cos[i], sin[i], i < n_pairs, in place: rotary
  /// position embedding in the half-split form.
  void (*rotate_halves)(float* x, const float* cos, const float* sin, std::size_t n_pairs);
  /// As rotate_halves, for the pairs (x[2i], x[2i + 1]).
  void (*rotate_neighbours)(float* x, const float* cos, const float* sin, std::size_t n_pairs);
  /// IEEE binary16 to binary32, exact; signalling NaNs may become quiet.
  void (*f16_to_f32)(const std::uint16_t* x, float* y, std::size_t n);
  /// binary32 to IEEE binary16, to nearest even.
  void (*f32_to_f16)(const float* x, std::uint16_t* y, std::size_t n);

  // --- weights in their file's bytes ---
  /// Formats with loops of their own; for others decode with the format and use gemm_f32.
  const EncodedRows* encoded;
  std::size_t n_encoded;
};

/// The definition.
extern const KernelTable scalar_table;
#if defined(__x86_64__)
extern const KernelTable avx2_table;        // needs AVX2, FMA, F16C
extern const KernelTable avx512vnni_table;  // also AVX-512 F, BW, VL, DQ, VNNI
#endif

/// Fastest table that this CPU can run, or the one that KERF_ISA names. The choice is made once.
/// An unknown or unsupported KERF_ISA is reported by isa_error() and the program must stop.
const KernelTable& active_table() noexcept;

/// nullptr, or why KERF_ISA cannot be honoured.
const char* isa_error() noexcept;

}  // namespace kerf::kernels

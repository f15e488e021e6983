// The table of low-level loops that one instruction set provides. Files in scalar/, avx2/, avx512vnni/
// include only this header, <cstdint>, <cstddef> and intrinsics: an inline function of another header,
// compiled there with that folder's flags, could be linked into code that must run on any CPU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kerf::kernels {

/// All loops are noexcept, allocate nothing and check nothing; sizes are in elements unless they say bytes.
/// Integer results are equal bit for bit on every instruction set; float results agree within the bound that
/// the order of summation gives.
struct KernelTable {
  const char* isa;  ///< folder name = value of KERF_ISA

  /// Σ a[i]·b[i]
  float (*dot_f32)(const float* a, const float* b, std::size_t n);
  /// y[i] += scale · x[i]
  void (*axpy_f32)(float scale, const float* x, float* y, std::size_t n);
  /// C[t, r] = Σ_k A[t, k]·B[r, k] for t < T, r < R; rows of A, B, C start lda, ldb, ldc floats apart.
  void (*gemm_f32)(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c,
                   std::size_t ldc, std::size_t n_t, std::size_t n_r, std::size_t n_k);
  /// y[i] = exp(x[i] − shift); returns the sum.
  float (*exp_shifted)(const float* x, float shift, float* y, std::size_t n);
  /// max x[i]; n > 0
  float (*max_f32)(const float* x, std::size_t n);
};

/// The definition.
extern const KernelTable scalar_table;

/// Fastest table that this CPU can run, or the one that KERF_ISA names. The choice is made once.
/// An unknown or unsupported KERF_ISA is reported by isa_error() and the program must stop.
const KernelTable& active_table() noexcept;

/// nullptr, or why KERF_ISA cannot be honoured.
const char* isa_error() noexcept;

}  // namespace kerf::kernels

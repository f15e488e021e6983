// Loops of this folder that table.cpp collects.
#pragma once

#include "kerf/kernels/kernel.h"

namespace kerf::kernels::avx512vnni {

float dot_f32(const float* a, const float* b, std::size_t n);
void gemm_f32(const float* a, std::size_t lda, const float* b, std::size_t ldb, float* c, std::size_t ldc,
              std::size_t n_t, std::size_t n_r, std::size_t n_k);
void weighted_sum(const float* weight, const float* x, std::size_t ldx, float* y, std::size_t n_j,
                  std::size_t n);

float exp_shifted(const float* x, float shift, float* y, std::size_t n);
void silu_mul(const float* gate, const float* up, float* y, std::size_t n);
void gelu_mul(const float* gate, const float* up, float* y, std::size_t n);

constexpr std::size_t kEncodedFormats = 15;
extern const EncodedRows encoded_rows[kEncodedFormats];

}  // namespace kerf::kernels::avx512vnni

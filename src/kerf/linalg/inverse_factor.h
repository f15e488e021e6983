// The factor of an inverse that error feedback runs on (GPTQ, LDLQ): U, upper triangular, H⁻¹ = Uᵀ·U, for the
// second moments H of a layer's inputs.
//
// With J the reversal of rows and J·H·J = L·Lᵀ (Cholesky), U = J·L⁻¹·J: one factorisation and one triangular
// inverse, where inverting H and factoring the inverse would take three steps.
// Source: E. Frantar et al., «GPTQ» (2022), section 3.3.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

/// How far H had to be changed before it had a factor.
enum class Repair {
  none,      ///< only the damping that was asked for
  damped,    ///< more damping
  diagonal,  ///< all but its diagonal was dropped
};

struct InverseFactor {
  /// Uᵀ [n, n], lower triangular, row-major: what column j hears from those before it lies in row j.
  std::vector<float> transposed;
  double damping;      ///< what was added to the diagonal, as a part of its mean
  Repair repair;       ///< what it took
  std::size_t n_dead;  ///< columns without input (H_dd <= 0); each was given the mean of the diagonal
};

/// Factors H + damping · mean(diagonal) · I for a symmetric h [n, n], of which the lower triangle is read. It
/// is positive semidefinite but for rounding; where it is not, damping doubles up to the mean itself, and
/// then only the diagonal is used. Errors: numeric (a number of h is not finite).
/// One thread; may be called from several at once.
[[nodiscard]] Result<InverseFactor> inverse_factor(std::span<const float> h, std::size_t n, double damping);
[[nodiscard]] Result<InverseFactor> inverse_factor(std::span<const double> h, std::size_t n, double damping);

/// (L·Lᵀ)⁻¹ for each block L of `size` rows and columns on the diagonal of a lower triangular matrix [n, n];
/// the last may be smaller. Row j of the result [n, size] is that of row j in its block.
///
/// With Uᵀ of an InverseFactor, d·M·dᵀ is what differences d of a block cost if the columns after it make
/// good what they can.
[[nodiscard]] std::vector<float> block_inverses(std::span<const float> lower, std::size_t n,
                                                std::size_t size);

}  // namespace kerf

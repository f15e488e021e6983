// Column error feedback for every format: each column takes over, before it is rounded, what the columns
// before it got wrong and it can make good (GPTQ, LDLQ).
//
// Sources: E. Frantar et al., «GPTQ» (2022); J. Chee et al., «QuIP» (2023), LDLQ; A. Tseng et al., «QuIP#»
// (2024), cells of eight columns that are rounded together and coordinate descent.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/linalg/inverse_factor.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {

struct FeedbackOptions {
  /// Added to the diagonal of H, as a part of its mean: how little its small eigenvalues are believed.
  double damping = 0.01;
  /// Columns of large moments first, eight at a time. Parameters are then chosen for the original weights.
  bool act_order = false;
  /// Rounds of least squares for the parameters and coordinate descent on the codes: as many while columns to
  /// the right are still open, and as many at the end.
  int refinements = 1;
  QuantizeOptions search = {};
};

/// What the second moments of a layer's inputs, H = Σ x·xᵀ [K, K], say about errors: a row that is off by d
/// costs d·H·dᵀ.
class Feedback {
 public:
  /// h [n_cols, n_cols], symmetric, of any unit. Errors: numeric (not finite).
  [[nodiscard]] static Result<Feedback> make(std::span<const float> h, std::size_t n_cols,
                                             const FeedbackOptions& options);
  [[nodiscard]] static Result<Feedback> make(std::span<const double> h, std::size_t n_cols,
                                             const FeedbackOptions& options);

  /// The damping that was needed, a part of the mean of the diagonal.
  [[nodiscard]] double damping() const noexcept { return damping_; }
  [[nodiscard]] Repair repair() const noexcept { return repair_; }
  /// Columns that had no input.
  [[nodiscard]] std::size_t n_dead() const noexcept { return n_dead_; }
  [[nodiscard]] std::size_t n_cols() const noexcept { return n_cols_; }
  /// The diagonal of H [n_cols], up to a factor.
  [[nodiscard]] std::span<const float> importance() const noexcept { return importance_; }

  /// Rounds w [n_rows, n_cols] of finite numbers into dst [n_rows · format.row_bytes(n_cols)]. No row costs
  /// more than quantize_row() with importance() would leave. Rows do not know of each other: the same bytes
  /// however they are split among calls and threads. The format is writable() and fits(n_cols).
  void quantize_rows(const Format& format, const float* w, std::uint8_t* dst, std::size_t n_rows) const;

  /// Σ d·H·dᵀ over the rows of d = w − back [n_rows, n_cols], without damping, in the units of h. Where only
  /// the diagonal of H could be used (Repair), that alone counts.
  [[nodiscard]] double error(const float* w, const float* back, std::size_t n_rows) const;

 private:
  /// Columns that are refined together while those after them are still open: whole blocks of any format
  /// whose blocks have parameters.
  static constexpr std::size_t kStretch = 256;

  Feedback() = default;
  template <class T>
  static Result<Feedback> make_from(std::span<const T> h, std::size_t n_cols, const FeedbackOptions& options);
  template <class T>
  void load_moments(std::span<const T> h);
  template <class T>
  Result<void> factorise(std::span<const T> h);
  void choose_order();

  friend class FeedbackPiece;

  FeedbackOptions options_;
  std::size_t n_cols_ = 0;
  double unit_ = 1;  ///< of h: a power of two near the mean of its diagonal
  double damping_ = 0;
  Repair repair_ = Repair::none;
  std::size_t n_dead_ = 0;
  std::vector<float> moments_;      ///< [K, K]: h / unit_, damped
  std::vector<float> importance_;   ///< [K]: its diagonal without damping
  std::vector<std::size_t> order_;  ///< which column comes i-th [K]: whole cells of eight
  /// Uᵀ [K, K] in that order: what a column hears from those before it is a row.
  std::vector<float> factor_;
  /// What differences cost if later columns make good what they can: (Uᵀ·U)⁻¹ of stretches and of cells.
  std::vector<float> stretches_;  ///< [K, kStretch]
  std::vector<float> cells_;      ///< [K, 8]
};

}  // namespace kerf

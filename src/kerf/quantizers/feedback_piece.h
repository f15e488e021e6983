// One piece of rows under error feedback: a walk through its columns, then rounds of refinement.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "kerf/quantizers/feedback.h"
#include "kerf/quantizers/feedback_block.h"
#include "kerf/quantizers/feedback_header.h"
#include "kerf/quantizers/feedback_rounder.h"

namespace kerf {

/// Rounds pieces of up to kPieceRows rows, one after another, and keeps what they need in between.
class FeedbackPiece {
 public:
  FeedbackPiece(const Feedback& feedback, const Format& format);

  /// w [n_rows, K] into dst [n_rows, row_bytes].
  void quantize(const float* w, std::size_t n_rows, std::uint8_t* dst);

 private:
  void round_plainly(std::uint8_t* dst);
  void load_targets(const std::uint8_t* plain);
  void walk();
  void walk_stretch(std::size_t first, std::size_t last);
  void walk_in_order();
  void try_scales(std::size_t first, std::size_t last);
  void round_columns(std::size_t first, std::size_t last);
  void round_unit(std::size_t first, std::size_t n, Column* x, std::size_t column);
  void refine_stretch(std::size_t first, std::size_t last);
  void refine();
  void keep_better(std::uint8_t* dst);
  void measure(const std::uint8_t* rows, Sums& cost);

  [[nodiscard]] MatrixView factor() const noexcept { return {feedback_.factor_.data(), n_cols_}; }
  [[nodiscard]] MatrixView moments() const noexcept { return {feedback_.moments_.data(), n_cols_}; }

  const Feedback& feedback_;
  const Format& format_;
  const std::size_t n_cols_;
  const std::size_t row_bytes_;
  std::unique_ptr<PieceRounder> rounder_;
  std::optional<RowHeaders> headers_;
  BlockRefiner refiner_;
  const std::size_t size_;    ///< columns of a block, or that are worked on like one
  const float* w_ = nullptr;  ///< [n_rows, K]
  std::size_t n_rows_ = 0;
  std::vector<float> inverse_diagonal_;  ///< 1 / U_jj [K]
  std::vector<float> weight_;            ///< its square, to whole blocks
  std::vector<float> rows_;              ///< [kPieceRows, K]
  std::vector<Column> target_;           ///< what is to be rounded [K]
  std::vector<Column> x_;                ///< the same with the feedback of blocks before, to whole blocks
  std::vector<Column> e_;                ///< (x − back) · U⁻¹ [K]
  std::vector<Column> back_;             ///< [K]
  std::vector<Column> gradient_;         ///< [K]
  std::vector<std::uint8_t> bytes_;      ///< [kPieceRows, row_bytes]
};

}  // namespace kerf

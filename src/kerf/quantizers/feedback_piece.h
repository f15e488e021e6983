// One piece of rows under error feedback.
#pragma once

#include <memory>
#include <vector>

#include "kerf/quantizers/feedback.h"
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
  void walk_unit(std::size_t first, std::size_t done);
  void keep_better(std::uint8_t* dst);
  void measure(const std::uint8_t* rows, double* form);

  const Feedback& feedback_;
  const Format& format_;
  const Format& blocks_;
  const std::size_t n_cols_;
  const std::size_t row_bytes_;
  std::unique_ptr<PieceRounder> rounder_;
  const std::size_t unit_;
  const float* w_ = nullptr;  ///< [n_rows, K]
  std::size_t n_rows_ = 0;
  std::vector<float> weight_;            ///< of each column in the walk's order, to whole blocks
  std::vector<float> inverse_diagonal_;  ///< 1 / U_jj
  std::vector<float> rows_;              ///< [kPieceRows, K]
  std::vector<Column> x_;                ///< what is to be rounded, in the walk's order
  std::vector<Column> e_;                ///< (x − back) / U_jj
  std::vector<Column> back_;
  std::vector<std::uint8_t> bytes_;  ///< [kPieceRows, row_bytes]
};

}  // namespace kerf

// RowRounder: how the rows of a weight matrix are rounded, and what an error in them costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kerf/quantizers/quantizer.h"

namespace kerf {

/// Rows do not know of each other: the same bytes however they are split among calls and threads. Safe to
/// call from several threads.
class RowRounder {
 public:
  virtual ~RowRounder() = default;

  /// Rounds w [n_rows, n_cols] of finite numbers into dst [n_rows · format.row_bytes(n_cols)].
  virtual void round(const Format& format, const float* w, std::uint8_t* dst, std::size_t n_rows,
                     std::size_t n_cols) const = 0;
  /// What the rows of d = w − back [n_rows, n_cols] cost, in a unit of the rounder's own: d·H·dᵀ where it
  /// knows the second moments H of the inputs. `back` may be nullptr: zeros.
  [[nodiscard]] virtual double cost(const float* w, const float* back, std::size_t n_rows,
                                    std::size_t n_cols) const = 0;
};

/// Rounds by importance of columns; an error costs Σ importance[k]·d[k]².
class ColumnRounder final : public RowRounder {
 public:
  /// importance [n_cols] >= 0; empty: all columns alike.
  ColumnRounder(std::vector<float> importance, const QuantizeOptions& search);

  void round(const Format& format, const float* w, std::uint8_t* dst, std::size_t n_rows,
             std::size_t n_cols) const override;
  [[nodiscard]] double cost(const float* w, const float* back, std::size_t n_rows,
                            std::size_t n_cols) const override;

 private:
  std::vector<float> importance_;
  QuantizeOptions search_;
};

}  // namespace kerf

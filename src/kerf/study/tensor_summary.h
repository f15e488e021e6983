// What the numbers of a stored matrix are like: spread, tails, and the columns that stand out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/io/container.h"
#include "kerf/study/measure.h"

namespace kerf::study {

/// A column of W[R, K], an input channel, whose largest number stands out of its matrix.
struct HeavyColumn {
  std::string tensor;
  std::uint64_t column = 0;
  double max_over_rms = 0;  ///< max|x| of the column over the root mean square of the whole matrix
  double rms_over_rms = 0;  ///< root mean square of the column over the same: high if all of it is large
};

struct TensorSummary {
  std::string name;
  const Format* format = nullptr;  ///< as stored
  std::uint64_t n_rows = 0;
  std::uint64_t row_length = 0;
  double rms = 0;
  double kurtosis = 0;           ///< 3 for a Gaussian, above it for heavier tails; 0 for a constant matrix
  double max_over_rms = 0;       ///< largest |x| over rms
  std::uint64_t n_outliers = 0;  ///< numbers beyond kOutlier · rms
  static constexpr double kOutlier = 6;
  std::vector<HeavyColumn> columns;  ///< the heaviest, most first

  [[nodiscard]] std::uint64_t n() const noexcept { return n_rows * row_length; }
};

/// Reads all rows. `n_columns` is how many heavy columns to keep. Errors: numeric for NaN and infinities,
/// naming row and column.
Result<TensorSummary> summarize(const StoredTensor& tensor, std::size_t n_columns, ThreadPool& pool);

/// At most `n_rows` rows of the tensor, evenly spaced from the first; 0 takes all.
[[nodiscard]] Rows sample_rows(const StoredTensor& tensor, std::uint64_t n_rows);

}  // namespace kerf::study

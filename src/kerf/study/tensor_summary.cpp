#include "kerf/study/tensor_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "kerf/base/bits.h"

namespace kerf::study {
namespace {

constexpr std::uint64_t kChunkNumbers = 1 << 16;

/// Power sums of some rows, about zero: weights have next to no mean, and binary64 has digits to spare.
struct Moments {
  double sum = 0, square = 0, cube = 0, fourth = 0;
  float max = 0;
  bool finite = true;
};

KERF_CLONES Moments moments_of(const float* x, std::size_t n) noexcept {
  constexpr std::size_t kLanes = 8;
  double sum[kLanes] = {}, square[kLanes] = {}, cube[kLanes] = {}, fourth[kLanes] = {};
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t n_lanes = std::min(kLanes, n - i);
    for (std::size_t lane = 0; lane < n_lanes; ++lane) {
      const double value = x[i + lane];
      const double value2 = value * value;
      sum[lane] += value;
      square[lane] += value2;
      cube[lane] += value2 * value;
      fourth[lane] += value2 * value2;
    }
  }
  // Magnitudes compare like the integers of their bits, NaN and infinities above all.
  for (std::size_t i = 0; i < n; ++i)
    largest = std::max(largest, load_le<std::uint32_t>(x + i) & 0x7FFFFFFFU);
  Moments out;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    out.sum += sum[lane];
    out.square += square[lane];
    out.cube += cube[lane];
    out.fourth += fourth[lane];
  }
  out.finite = largest < 0x7F800000U;
  out.max = load_le<float>(&largest);
  return out;
}

/// Adds one row to what is known of the columns.
KERF_CLONES void add_to_columns(const float* x, float* max, float* square, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    max[i] = magnitude > max[i] ? magnitude : max[i];
    square[i] += magnitude * magnitude;
  }
}

KERF_CLONES std::uint64_t count_beyond(const float* x, float limit, std::size_t n) noexcept {
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < n; ++i) count += std::fabs(x[i]) > limit ? 1 : 0;
  return count;
}

class Summary {
 public:
  Summary(const StoredTensor& tensor, ThreadPool& pool)
      : tensor_(tensor),
        pool_(pool),
        n_columns_(tensor.row_length()),
        chunk_rows_(std::max<std::uint64_t>(1, kChunkNumbers / n_columns_)),
        n_chunks_((tensor.n_rows() + chunk_rows_ - 1) / chunk_rows_) {}

  Result<TensorSummary> run(std::size_t n_heavy) {
    KERF_TRY(const Moments sums, moments());
    const auto n = static_cast<double>(tensor_.n_elements());
    TensorSummary out;
    out.name = tensor_.name;
    out.format = tensor_.format;
    out.n_rows = tensor_.n_rows();
    out.row_length = n_columns_;
    out.rms = std::sqrt(sums.square / n);
    const double mean = sums.sum / n, m2 = sums.square / n, m3 = sums.cube / n, m4 = sums.fourth / n;
    const double variance = m2 - mean * mean;
    const double central4 = m4 - 4 * mean * m3 + 6 * mean * mean * m2 - 3 * mean * mean * mean * mean;
    // Below the rounding of the sums there is no spread to speak of.
    out.kurtosis = variance > 1e-12 * m2 ? central4 / (variance * variance) : 0;
    if (!(out.rms > 0)) return out;
    out.max_over_rms = sums.max / out.rms;
    out.n_outliers = count_outliers(static_cast<float>(TensorSummary::kOutlier * out.rms));
    out.columns = heaviest(n_heavy, out.rms);
    return out;
  }

 private:
  /// Calls body(x, n_rows, chunk, worker) for the decoded rows of each chunk.
  template <class Body>
  void for_each_chunk(Body&& body) {
    const std::uint64_t row_bytes = tensor_.format->row_bytes(n_columns_);
    std::vector<std::vector<float>> buffers(pool_.size());
    pool_.parallel_for(n_chunks_, 1, [&](std::size_t chunk, std::size_t, unsigned worker) {
      const std::uint64_t first = chunk * chunk_rows_;
      const std::uint64_t n_rows = std::min(chunk_rows_, tensor_.n_rows() - first);
      std::vector<float>& x = buffers[worker];
      x.resize(chunk_rows_ * n_columns_);
      for (std::uint64_t row = 0; row < n_rows; ++row)
        tensor_.format->decode(tensor_.bytes.data() + (first + row) * row_bytes, x.data() + row * n_columns_,
                               n_columns_);
      body(x.data(), n_rows, chunk, worker);
    });
  }

  Result<Moments> moments() {
    std::vector<Moments> parts(n_chunks_);
    std::vector<std::optional<Error>> errors(n_chunks_);
    // Squares of columns are summed chunk by chunk too, so that the order of addition is one and the same.
    std::vector<std::vector<float>> squares(n_chunks_);
    std::vector<std::vector<float>> maxima(pool_.size(), std::vector<float>(n_columns_));
    for_each_chunk([&](const float* x, std::uint64_t n_rows, std::size_t chunk, unsigned worker) {
      parts[chunk] = moments_of(x, n_rows * n_columns_);
      if (!parts[chunk].finite) {
        errors[chunk] = blame(x, n_rows * n_columns_, chunk * chunk_rows_);
        return;
      }
      squares[chunk].assign(n_columns_, 0.0F);
      for (std::uint64_t row = 0; row < n_rows; ++row)
        add_to_columns(x + row * n_columns_, maxima[worker].data(), squares[chunk].data(), n_columns_);
    });
    Moments total;
    column_max_.assign(n_columns_, 0.0F);
    column_square_.assign(n_columns_, 0.0);
    for (std::size_t chunk = 0; chunk < n_chunks_; ++chunk) {
      if (errors[chunk]) return tl::unexpected<Error>(*errors[chunk]);
      total.sum += parts[chunk].sum;
      total.square += parts[chunk].square;
      total.cube += parts[chunk].cube;
      total.fourth += parts[chunk].fourth;
      total.max = std::max(total.max, parts[chunk].max);
      for (std::size_t i = 0; i < n_columns_; ++i) column_square_[i] += squares[chunk][i];
    }
    for (const auto& max : maxima)
      for (std::size_t i = 0; i < n_columns_; ++i) column_max_[i] = std::max(column_max_[i], max[i]);
    return total;
  }

  Error blame(const float* x, std::size_t n, std::uint64_t first_row) const {
    const auto* bad = std::find_if(x, x + n, [](float value) { return !std::isfinite(value); });
    const auto place = static_cast<std::uint64_t>(bad - x);
    return {ErrorKind::numeric, tensor_.name,
            fmt::format(
                "holds {} at row {}, column {}; «kerf verify» finds all of them, and --tensor can leave "
                "the tensor out",
                std::isnan(*bad) ? "NaN" : "infinity", first_row + place / n_columns_, place % n_columns_)};
  }

  std::uint64_t count_outliers(float limit) {
    std::vector<std::uint64_t> counts(n_chunks_);
    for_each_chunk([&](const float* x, std::uint64_t n_rows, std::size_t chunk, unsigned) {
      counts[chunk] = count_beyond(x, limit, n_rows * n_columns_);
    });
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }

  std::vector<HeavyColumn> heaviest(std::size_t n, double rms) const {
    std::vector<std::size_t> order(n_columns_);
    std::iota(order.begin(), order.end(), 0);
    n = std::min(n, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                      [&](std::size_t a, std::size_t b) {
                        return column_max_[a] != column_max_[b] ? column_max_[a] > column_max_[b] : a < b;
                      });
    std::vector<HeavyColumn> out;
    for (std::size_t i = 0; i < n; ++i) {
      const double square = column_square_[order[i]] / static_cast<double>(tensor_.n_rows());
      out.push_back({tensor_.name, order[i], column_max_[order[i]] / rms, std::sqrt(square) / rms});
    }
    return out;
  }

  const StoredTensor& tensor_;
  ThreadPool& pool_;
  std::uint64_t n_columns_;
  std::uint64_t chunk_rows_;
  std::size_t n_chunks_;
  std::vector<float> column_max_;
  std::vector<double> column_square_;
};

}  // namespace

Result<TensorSummary> summarize(const StoredTensor& tensor, std::size_t n_columns, ThreadPool& pool) {
  return Summary(tensor, pool).run(n_columns);
}

Rows sample_rows(const StoredTensor& tensor, std::uint64_t n_rows) {
  Rows out;
  const std::uint64_t all = tensor.n_rows();
  out.n_rows = n_rows == 0 ? all : std::min(n_rows, all);
  out.row_length = tensor.row_length();
  out.x.resize(out.n_rows * out.row_length);
  const std::uint64_t row_bytes = tensor.format->row_bytes(out.row_length);
  for (std::uint64_t i = 0; i < out.n_rows; ++i)
    tensor.format->decode(tensor.bytes.data() + i * all / out.n_rows * row_bytes,
                          out.x.data() + i * out.row_length, out.row_length);
  return out;
}

}  // namespace kerf::study

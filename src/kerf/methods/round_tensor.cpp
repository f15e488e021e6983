#include "kerf/methods/round_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/quantizers/quantizer.h"

namespace kerf {
namespace {

constexpr std::uint64_t kChunkNumbers = 1 << 16;  // 256 kB of floats: stays in a core's L2 cache
constexpr std::uint64_t kSlabChunks = 64;

struct SquaredError {
  double error = 0;
  double power = 0;
};

/// Σ (x − y)² and Σ x². Eight fixed lanes, so that every instruction set adds in the same order.
KERF_CLONES SquaredError squared_error(const float* x, const float* y, std::size_t n) noexcept {
  constexpr std::size_t kLanes = 8;
  double error[kLanes] = {};
  double power[kLanes] = {};
  const std::size_t whole = n / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double value = x[i + lane];
      const double difference = value - y[i + lane];
      error[lane] += difference * difference;
      power[lane] += value * value;
    }
  SquaredError sum;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    sum.error += error[lane];
    sum.power += power[lane];
  }
  for (std::size_t i = whole; i < n; ++i) {
    const double difference = static_cast<double>(x[i]) - y[i];
    sum.error += difference * difference;
    sum.power += static_cast<double>(x[i]) * x[i];
  }
  return sum;
}

KERF_CLONES bool all_finite(const float* x, std::size_t n) noexcept {
  std::uint32_t worst = 0;
  for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, load_le<std::uint32_t>(x + i) & 0x7FFFFFFFU);
  return worst < 0x7F800000U;
}

/// What one worker needs.
struct Scratch {
  std::vector<float> x;
  std::vector<float> back;
};

/// Names the first number that is to blame for a chunk that could not be rounded.
Error blame(const SourceTensor& tensor, const Format& format, std::uint64_t first_row, const Scratch& scratch,
            std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t row = first_row + i / tensor.row_length();
    const std::uint64_t column = i % tensor.row_length();
    if (!std::isfinite(scratch.x[i]))
      return {ErrorKind::numeric, tensor.name,
              fmt::format("holds {} at row {}, column {}; the model is broken: fetch or convert it again",
                          std::isnan(scratch.x[i]) ? "NaN" : "infinity", row, column)};
    if (!std::isfinite(scratch.back[i]))
      return {
          ErrorKind::numeric, tensor.name,
          fmt::format("the value {} at row {}, column {} is beyond the range of {}; use BF16 or F32 for it",
                      scratch.x[i], row, column, format.name)};
  }
  return {ErrorKind::numeric, tensor.name, "its squares overflow; the model is broken"};
}

/// Sums over rows.
struct Sums {
  SquaredError plain;
  double cost = 0, power = 0, baseline = 0;  // of the weights: power

  void add(const Sums& other) {
    plain.error += other.plain.error;
    plain.power += other.plain.power;
    cost += other.cost;
    power += other.power;
    baseline += other.baseline;
  }
};

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0.0;
}

class TensorRounder {
 public:
  TensorRounder(const RoundJob& job, ThreadPool& pool)
      : job_(job),
        pool_(pool),
        n_columns_(job.tensor.row_length()),
        row_bytes_(job.format.row_bytes(n_columns_)),
        chunk_rows_(std::max<std::uint64_t>(1, kChunkNumbers / n_columns_)),
        scratch_(pool.size()) {
    slab_rows_ = std::max(chunk_rows_, std::min(kSlabChunks * chunk_rows_,
                                                kSlabBytesLimit / std::max<std::uint64_t>(row_bytes_, 1)));
    for (Scratch& scratch : scratch_) {
      scratch.x.resize(chunk_rows_ * n_columns_);
      scratch.back.resize(chunk_rows_ * n_columns_);
    }
  }

  Result<RoundingError> run(RowSink sink, RowProgress advance) {
    Sums sums;
    for (std::uint64_t row = 0; row < job_.tensor.n_rows(); row += slab_rows_) {
      const std::uint64_t n_rows = std::min(slab_rows_, job_.tensor.n_rows() - row);
      KERF_CHECK_OK(round_slab(row, n_rows, sums));
      KERF_CHECK_OK(sink(Bytes{slab_.data(), n_rows * row_bytes_}));
      KERF_CHECK_OK(advance((row + n_rows) * n_columns_));
    }
    return RoundingError{ratio(sums.plain.error, sums.plain.power), ratio(sums.cost, sums.power),
                         ratio(sums.baseline, sums.power)};
  }

 private:
  /// Rounds rows [first, first + n_rows) into slab_ and adds to `sums`, chunk by chunk in order.
  Result<void> round_slab(std::uint64_t first, std::uint64_t n_rows, Sums& sums) {
    const std::uint64_t n_chunks = (n_rows + chunk_rows_ - 1) / chunk_rows_;
    slab_.resize(n_rows * row_bytes_);
    std::vector<Result<Sums>> results(n_chunks);
    pool_.parallel_for(n_chunks, 1, [&](std::size_t chunk, std::size_t, unsigned worker) {
      const std::uint64_t begin = chunk * chunk_rows_;
      const std::uint64_t rows = std::min(chunk_rows_, n_rows - begin);
      results[chunk] = round_rows(first + begin, rows, slab_.data() + begin * row_bytes_, scratch_[worker]);
    });
    for (const Result<Sums>& result : results) {
      if (!result) return tl::unexpected<Error>(result.error());
      sums.add(*result);
    }
    return {};
  }

  Result<Sums> round_rows(std::uint64_t first, std::uint64_t n_rows, std::uint8_t* bytes, Scratch& scratch) {
    const std::size_t n = n_rows * n_columns_;
    KERF_CHECK_OK(job_.source.read_rows(job_.tensor, first, n_rows, scratch.x.data()));
    if (!all_finite(scratch.x.data(), n))
      return tl::unexpected<Error>(blame(job_.tensor, job_.format, first, scratch, n));
    const Sums sums = round_matrices(first, n_rows, bytes, scratch);
    if (!std::isfinite(sums.plain.error))
      return tl::unexpected<Error>(blame(job_.tensor, job_.format, first, scratch, n));
    return sums;
  }

  /// Rows of one matrix after the other: each has its own rounder.
  Sums round_matrices(std::uint64_t first, std::uint64_t n_rows, std::uint8_t* bytes,
                      Scratch& scratch) const {
    const std::uint64_t per_matrix = job_.tensor.n_rows() / job_.rounders.size();
    Sums sums;
    for (std::uint64_t row = 0; row < n_rows;) {
      const std::uint64_t n = std::min(n_rows - row, per_matrix - (first + row) % per_matrix);
      sums.add(round_chunk(first + row, n, scratch.x.data() + row * n_columns_, bytes + row * row_bytes_,
                           scratch.back.data() + row * n_columns_));
      row += n;
    }
    return sums;
  }

  /// Rows [first, first + n_rows) of one matrix. `back` receives what a reader will see.
  Sums round_chunk(std::uint64_t first, std::uint64_t n_rows, float* x, std::uint8_t* bytes,
                   float* back) const {
    const RowRounder& rounder = *job_.rounders[first / (job_.tensor.n_rows() / job_.rounders.size())];
    Sums sums;
    if (job_.baseline != nullptr) {
      job_.baseline->round(job_.format, x, bytes, n_rows, n_columns_);
      decode_rows(job_.format, bytes, n_rows, n_columns_, back);
      apply_factors(first, n_rows, back);
    }
    apply_factors(first, n_rows, x);
    if (job_.baseline != nullptr) {
      sums.baseline = rounder.cost(x, back, n_rows, n_columns_);
      sums.power = rounder.cost(x, nullptr, n_rows, n_columns_);
    }
    rounder.round(job_.format, x, bytes, n_rows, n_columns_);
    decode_rows(job_.format, bytes, n_rows, n_columns_, back);
    if (job_.baseline != nullptr) sums.cost = rounder.cost(x, back, n_rows, n_columns_);
    sums.plain = squared_error(x, back, n_rows * n_columns_);
    return sums;
  }

  void apply_factors(std::uint64_t first, std::uint64_t n_rows, float* x) const {
    for (std::uint64_t r = 0; r < n_rows; ++r) {
      float* const row = x + r * n_columns_;
      if (!job_.column_factors.empty())
        for (std::uint64_t k = 0; k < n_columns_; ++k) row[k] *= job_.column_factors[k];
      if (!job_.row_factors.empty())
        for (std::uint64_t k = 0; k < n_columns_; ++k) row[k] *= job_.row_factors[first + r];
    }
  }

  const RoundJob& job_;
  ThreadPool& pool_;
  std::uint64_t n_columns_;
  std::uint64_t row_bytes_;
  std::uint64_t chunk_rows_;
  std::uint64_t slab_rows_;
  std::vector<Scratch> scratch_;
  std::vector<std::uint8_t> slab_;
};

}  // namespace

Result<RoundingError> round_tensor(const RoundJob& job, RowSink sink, ThreadPool& pool, RowProgress advance) {
  if (!job.format.writable())
    return fail(ErrorKind::unsupported, job.tensor.name,
                fmt::format("type {} can be read but not written", job.format.name));
  return TensorRounder(job, pool).run(sink, advance);
}

Result<void> copy_tensor(const SourceTensor& tensor, Bytes bytes, RowSink sink, RowProgress advance) {
  constexpr std::size_t kPiece = 8 << 20;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    const Bytes piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
    KERF_CHECK_OK(sink(piece));
    const double part = static_cast<double>(begin + piece.size()) / static_cast<double>(bytes.size());
    KERF_CHECK_OK(advance(static_cast<std::uint64_t>(part * static_cast<double>(tensor.n_elements()))));
  }
  return {};
}

Result<std::vector<std::unique_ptr<RowRounder>>> importance_rounders(const SourceTensor& tensor,
                                                                     const Importance* importance,
                                                                     const QuantizeOptions& search) {
  std::vector<std::unique_ptr<RowRounder>> rounders;
  if (importance == nullptr) {
    rounders.push_back(std::make_unique<ColumnRounder>(std::vector<float>(), search));
    return rounders;
  }
  const std::uint64_t n_columns = tensor.row_length();
  const std::vector<float>& values = importance->mean_square;
  const std::size_t n_matrices = values.size() / n_columns;
  if (n_matrices * n_columns != values.size() || n_matrices == 0 || tensor.n_rows() % n_matrices != 0 ||
      (n_matrices > 1 && tensor.shape.size() < 3))
    return fail(
        ErrorKind::input, tensor.name,
        fmt::format("the importance matrix has {} columns for it instead of {}; it is of another model",
                    values.size(), n_columns));
  for (std::size_t m = 0; m < n_matrices; ++m) {
    // An expert that no token reached: its columns count alike.
    if (n_matrices > 1 && n_matrices == importance->n_matrices() && importance->n_tokens[m] == 0) {
      rounders.push_back(std::make_unique<ColumnRounder>(std::vector<float>(), search));
      continue;
    }
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(m * n_columns);
    const auto end = begin + static_cast<std::ptrdiff_t>(n_columns);
    rounders.push_back(std::make_unique<ColumnRounder>(std::vector<float>(begin, end), search));
  }
  return rounders;
}

double seconds_to_round(const Format& format, const QuantizeOptions& options, const std::vector<float>& x) {
  if (!format.writable()) return 0;
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  std::vector<float> back(x.size());
  const auto begin = std::chrono::steady_clock::now();
  quantize_row(format, x.data(), nullptr, bytes.data(), x.size(), options);
  decode_rows(format, bytes.data(), 1, x.size(), back.data());
  squared_error(x.data(), back.data(), x.size());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace kerf

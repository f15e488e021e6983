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

/// Rounds rows of finite numbers; `back` receives what a reader will see.
SquaredError round_chunk(const Format& format, const QuantizeOptions& options, const float* importance,
                         const float* x, std::uint8_t* bytes, float* back, std::size_t n_rows,
                         std::size_t n_cols) {
  quantize_rows(format, x, importance, bytes, n_rows, n_cols, options);
  decode_rows(format, bytes, n_rows, n_cols, back);
  return squared_error(x, back, n_rows * n_cols);
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

/// One row of column weights per matrix of a tensor: [n_matrices, K]. Empty: all alike.
struct ColumnWeights {
  std::size_t n_matrices = 1;
  std::vector<float> values;

  /// Of the matrix that row `row` of n_rows belongs to; nullptr: all alike.
  [[nodiscard]] const float* of_row(std::uint64_t row, std::uint64_t n_rows, std::size_t n_columns) const {
    if (values.empty()) return nullptr;
    return values.data() + row / (n_rows / n_matrices) * n_columns;
  }
};

/// A column without importance would be rounded to anything; it keeps this part of the mean.
constexpr float kLeastImportance = 1e-4F;

Result<ColumnWeights> column_weights(const SourceTensor& tensor, const Importance* importance) {
  if (importance == nullptr) return ColumnWeights{};
  const std::uint64_t n_columns = tensor.row_length();
  const std::size_t n_matrices = importance->mean_square.size() / n_columns;
  if (n_matrices * n_columns != importance->mean_square.size() || n_matrices == 0 ||
      tensor.n_rows() % n_matrices != 0 || (n_matrices > 1 && tensor.shape.size() < 3))
    return fail(
        ErrorKind::input, tensor.name,
        fmt::format("the importance matrix has {} columns for it instead of {}; it is of another model",
                    importance->mean_square.size(), n_columns));
  ColumnWeights weights{n_matrices, importance->mean_square};
  for (std::size_t m = 0; m < n_matrices; ++m) {
    const std::span row = std::span(weights.values).subspan(m * n_columns, n_columns);
    double sum = 0;
    for (const float w : row) sum += w;
    const auto mean = static_cast<float>(sum / static_cast<double>(n_columns));
    for (float& w : row) w = mean > 0 ? std::max(w, kLeastImportance * mean) : 1.0F;
  }
  return weights;
}

class TensorRounder {
 public:
  TensorRounder(const ModelSource& source, const SourceTensor& tensor, const Format& format,
                const QuantizeOptions& options, ColumnWeights weights, ThreadPool& pool)
      : source_(source),
        tensor_(tensor),
        format_(format),
        options_(options),
        weights_(std::move(weights)),
        pool_(pool),
        row_bytes_(format.row_bytes(tensor.row_length())),
        chunk_rows_(std::max<std::uint64_t>(1, kChunkNumbers / tensor.row_length())),
        scratch_(pool.size()) {
    slab_rows_ = std::max(chunk_rows_, std::min(kSlabChunks * chunk_rows_,
                                                kSlabBytesLimit / std::max<std::uint64_t>(row_bytes_, 1)));
    for (Scratch& scratch : scratch_) {
      scratch.x.resize(chunk_rows_ * tensor.row_length());
      scratch.back.resize(chunk_rows_ * tensor.row_length());
    }
  }

  Result<double> run(GgufWriter& writer, FunctionRef<bool(std::uint64_t)> advance) {
    SquaredError sum;
    for (std::uint64_t row = 0; row < tensor_.n_rows(); row += slab_rows_) {
      const std::uint64_t n_rows = std::min(slab_rows_, tensor_.n_rows() - row);
      KERF_CHECK_OK(round_slab(row, n_rows, sum));
      KERF_CHECK_OK(writer.write(Bytes{slab_.data(), n_rows * row_bytes_}));
      if (!advance((row + n_rows) * tensor_.row_length()))
        return fail(ErrorKind::cancelled, tensor_.name, "interrupted; nothing was written");
    }
    return sum.power > 0 ? sum.error / sum.power : 0.0;
  }

 private:
  /// Rounds rows [first, first + n_rows) into slab_ and adds to `sum`, chunk by chunk in order.
  Result<void> round_slab(std::uint64_t first, std::uint64_t n_rows, SquaredError& sum) {
    const std::uint64_t n_chunks = (n_rows + chunk_rows_ - 1) / chunk_rows_;
    slab_.resize(n_rows * row_bytes_);
    std::vector<Result<SquaredError>> results(n_chunks);
    pool_.parallel_for(n_chunks, 1, [&](std::size_t chunk, std::size_t, unsigned worker) {
      const std::uint64_t begin = chunk * chunk_rows_;
      const std::uint64_t rows = std::min(chunk_rows_, n_rows - begin);
      results[chunk] = round_rows(first + begin, rows, slab_.data() + begin * row_bytes_, scratch_[worker]);
    });
    for (const Result<SquaredError>& result : results) {
      if (!result) return tl::unexpected<Error>(result.error());
      sum.error += result->error;
      sum.power += result->power;
    }
    return {};
  }

  Result<SquaredError> round_rows(std::uint64_t first, std::uint64_t n_rows, std::uint8_t* bytes,
                                  Scratch& scratch) {
    const std::size_t n = n_rows * tensor_.row_length();
    KERF_CHECK_OK(source_.read_rows(tensor_, first, n_rows, scratch.x.data()));
    if (!all_finite(scratch.x.data(), n))
      return tl::unexpected<Error>(blame(tensor_, format_, first, scratch, n));
    const SquaredError sum = round_matrices(first, n_rows, bytes, scratch);
    if (!std::isfinite(sum.error)) return tl::unexpected<Error>(blame(tensor_, format_, first, scratch, n));
    return sum;
  }

  /// Rows of one matrix after the other: each has its own importance.
  SquaredError round_matrices(std::uint64_t first, std::uint64_t n_rows, std::uint8_t* bytes,
                              Scratch& scratch) const {
    const std::uint64_t n_columns = tensor_.row_length();
    const std::uint64_t per_matrix = tensor_.n_rows() / weights_.n_matrices;
    SquaredError sum;
    for (std::uint64_t row = 0; row < n_rows;) {
      const std::uint64_t n = std::min(n_rows - row, per_matrix - (first + row) % per_matrix);
      const SquaredError part =
          round_chunk(format_, options_, weights_.of_row(first + row, tensor_.n_rows(), n_columns),
                      scratch.x.data() + row * n_columns, bytes + row * row_bytes_,
                      scratch.back.data() + row * n_columns, n, n_columns);
      sum.error += part.error;
      sum.power += part.power;
      row += n;
    }
    return sum;
  }

  const ModelSource& source_;
  const SourceTensor& tensor_;
  const Format& format_;
  const QuantizeOptions& options_;
  ColumnWeights weights_;
  ThreadPool& pool_;
  std::uint64_t row_bytes_;
  std::uint64_t chunk_rows_;
  std::uint64_t slab_rows_;
  std::vector<Scratch> scratch_;
  std::vector<std::uint8_t> slab_;
};

Result<void> copy_bytes(const SourceTensor& tensor, Bytes bytes, GgufWriter& writer,
                        FunctionRef<bool(std::uint64_t)> advance) {
  constexpr std::size_t kPiece = 8 << 20;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    const Bytes piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
    KERF_CHECK_OK(writer.write(piece));
    const double part = static_cast<double>(begin + piece.size()) / static_cast<double>(bytes.size());
    if (!advance(static_cast<std::uint64_t>(part * static_cast<double>(tensor.n_elements()))))
      return fail(ErrorKind::cancelled, tensor.name, "interrupted; nothing was written");
  }
  return {};
}

}  // namespace

Result<double> round_tensor(const ModelSource& source, const SourceTensor& tensor, const Format& format,
                            const RoundOptions& options, GgufWriter& writer, ThreadPool& pool,
                            FunctionRef<bool(std::uint64_t)> advance) {
  if (&format == tensor.format)
    if (const std::optional<Bytes> bytes = source.raw(tensor)) {
      KERF_CHECK_OK(copy_bytes(tensor, *bytes, writer, advance));
      return 0.0;
    }
  if (!format.writable())
    return fail(ErrorKind::unsupported, tensor.name,
                fmt::format("type {} can be read but not written", format.name));
  KERF_TRY(ColumnWeights weights, column_weights(tensor, options.importance));
  return TensorRounder(source, tensor, format, options.search, std::move(weights), pool).run(writer, advance);
}

double seconds_to_round(const Format& format, const QuantizeOptions& options, const std::vector<float>& x) {
  if (!format.writable()) return 0;
  std::vector<std::uint8_t> bytes(format.row_bytes(x.size()));
  std::vector<float> back(x.size());
  const auto begin = std::chrono::steady_clock::now();
  round_chunk(format, options, nullptr, x.data(), bytes.data(), back.data(), 1, x.size());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace kerf

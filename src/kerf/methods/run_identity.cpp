#include "kerf/methods/run_identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "kerf/base/checksum.h"
#include "kerf/kernels/kernel.h"

namespace kerf {
namespace {

constexpr std::size_t kPieceBytes = 4 << 20;

/// A checksum of values one after the other.
struct Summing {
  std::uint64_t sum = 0;

  void operator()(std::int64_t value) { add(&value, sizeof value); }
  void operator()(double value) { add(&value, sizeof value); }
  void operator()(const std::string& text) { sum = checksum(text, sum); }
  template <class T>
  void operator()(const std::vector<T>& values) {
    for (const T& value : values) (*this)(value);
  }
  void add(const void* bytes, std::size_t n) {
    sum = checksum(Bytes{static_cast<const std::uint8_t*>(bytes), n}, sum);
  }
};

/// Of some rows: their stored bytes, or their numbers where the source rearranges them.
Result<std::uint64_t> checksum_of_rows(const ModelSource& source, const SourceTensor& tensor,
                                       const std::optional<Bytes>& raw, std::uint64_t first,
                                       std::uint64_t n) {
  if (raw) {
    const std::uint64_t row_bytes = tensor.format->row_bytes(tensor.row_length());
    return checksum(raw->subspan(first * row_bytes, n * row_bytes));
  }
  std::vector<float> numbers(n * tensor.row_length());
  KERF_CHECK_OK(source.read_rows(tensor, first, n, numbers.data()));
  return checksum(Bytes{reinterpret_cast<const std::uint8_t*>(numbers.data()), 4 * numbers.size()});
}

Result<void> add_tensor(const ModelSource& source, const SourceTensor& tensor, ThreadPool& pool,
                        Summing& sum) {
  const std::optional<Bytes> raw = source.raw(tensor);
  const std::uint64_t row_bytes = std::max<std::uint64_t>(1, tensor.format->row_bytes(tensor.row_length()));
  const std::uint64_t piece = std::max<std::uint64_t>(1, kPieceBytes / row_bytes);
  // A few pieces at a time, and then their pages are dropped: a tensor may be larger than memory.
  for (std::uint64_t first = 0; first < tensor.n_rows(); first += pool.size() * piece) {
    const std::uint64_t n_rows = std::min(pool.size() * piece, tensor.n_rows() - first);
    std::vector<Result<std::uint64_t>> sums((n_rows + piece - 1) / piece);
    pool.parallel_for(sums.size(), 1, [&](std::size_t i, std::size_t, unsigned) {
      sums[i] = checksum_of_rows(source, tensor, raw, first + i * piece, std::min(piece, n_rows - i * piece));
    });
    for (const Result<std::uint64_t>& part : sums) {
      KERF_TRY(const std::uint64_t value, part);
      sum(static_cast<std::int64_t>(value));
    }
    source.release(tensor);
  }
  return {};
}

Result<std::string> fingerprint(const ModelSource& source, ThreadPool& pool) {
  Summing sum;
  for (const auto& [key, value] : source.metadata().entries()) {
    sum(key);
    std::visit(sum, value.value);
  }
  for (const SourceTensor& tensor : source.tensors()) {
    sum(tensor.name);
    KERF_CHECK_OK(add_tensor(source, tensor, pool, sum));
  }
  return fmt::format("{:016x}", sum.sum);
}

std::string fingerprint(const std::vector<PlannedTensor>& tensors) {
  Summing sum;
  for (const PlannedTensor& tensor : tensors) {
    sum(tensor.name);
    sum(std::string(tensor.format->name));
  }
  return fmt::format("{:016x}", sum.sum);
}

std::string fingerprint(const CalibrationText& text) {
  Summing sum;
  sum(text.documents);
  return fmt::format("{:016x}", sum.sum);
}

}  // namespace

Result<RunIdentity> run_identity(const ModelSource& source, const QuantizePlan& plan,
                                 const CalibratedOptions& options, ThreadPool& pool) {
  KERF_TRY(const std::string content, fingerprint(source, pool));
  RunIdentity identity = {
      {"the version of kerf", plan.metadata.string_or("quantize.kerf.version", "").value_or("")},
      {"the instruction set", kernels::active_table().isa},
      {fmt::format("the input {}", source.path().filename().string()), content},
      {"--type", plan.recipe.type},
      {"the choice of types", fingerprint(plan.tensors)},
      {"--effort", fmt::format("{}", plan.recipe.effort)},
      {"--method", std::string(options.method->name)},
      {"--damping", fmt::format("{}", options.tuning.damping)},
      {"--act-order", options.tuning.act_order ? "on" : "off"},
      {"--refinements", fmt::format("{}", options.tuning.refinements)},
      {"--smoothing", fmt::format("{}", options.tuning.smoothing)},
      {"--bias-correction", options.correct_biases ? "on" : "off"},
      {"--calib-tokens", fmt::format("{}", options.n_tokens)},
      {"--calib-ctx", fmt::format("{}", options.ctx)},
      {"--calib-seed", fmt::format("{}", options.seed)},
  };
  for (const CalibrationText& text : options.texts)
    identity.emplace_back(fmt::format("the text {}", text.name), fingerprint(text));
  return identity;
}

}  // namespace kerf

#include "kerf/model/quantized_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kerf/base/bits.h"

namespace kerf {
namespace {

// 255 · 256 · 2^15 is below 2^31: more than any codes and levels give.
constexpr std::size_t kNarrowColumns = 1U << 15;

KERF_CLONES std::int64_t dot_narrow(const std::int16_t* a, const std::int16_t* b, std::size_t n) noexcept {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::int32_t>(a[i]) * b[i];
  return sum;
}

KERF_CLONES std::int64_t dot_wide(const std::int32_t* a, const std::int32_t* b, std::size_t n) noexcept {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::int64_t>(a[i]) * b[i];
  return sum;
}

std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::size_t n) {
  return dot_narrow(a, b, n);
}
std::int64_t dot(const std::int32_t* a, const std::int32_t* b, std::size_t n) {
  return dot_wide(a, b, n);
}

template <class Code>
std::int64_t sum_of(const Code* a, std::size_t n) noexcept {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i];
  return sum;
}

/// Σ over the pieces of a row with one scale on either side; see the top of quantized_engine.h.
template <class Code>
double product(const Code* a, const float* a_scales, std::size_t a_group, const Code* w,
               const IntegerRow& row, std::size_t n) {
  double sum = 0;
  for (std::size_t begin = 0; begin < n;) {
    const std::size_t end =
        std::min({n, (begin / a_group + 1) * a_group, (begin / row.group + 1) * row.group});
    const std::size_t g = begin / row.group;
    double part =
        static_cast<double>(row.scales[g]) * static_cast<double>(dot(a + begin, w + begin, end - begin));
    if (row.offsets[g] != 0)
      part += static_cast<double>(row.offsets[g]) * static_cast<double>(sum_of(a + begin, end - begin));
    sum += static_cast<double>(a_scales[begin / a_group]) * part;
    begin = end;
  }
  return sum;
}

const ObserverKind* observer_of(std::string_view rule, RangeOptions& options) {
  using Rule = RangeOptions::Rule;
  if (rule == "min-max") return &observers::min_max;
  if (rule == "moving-average") return &observers::moving_average;
  if (rule == "percentile") return options.rule = Rule::percentile, &observers::histogram;
  if (rule == "entropy") return options.rule = Rule::entropy, &observers::histogram;
  if (rule == "mse") return options.rule = Rule::mse, &observers::histogram;
  return nullptr;
}

}  // namespace

struct QuantizedEngine::Input {
  std::span<const float> x;           // [T, K]
  QuantizedRows rows;                 // outlier columns are zeros in it
  std::vector<std::int16_t> narrow;   // the same codes, where they fit
  std::vector<std::size_t> outliers;  // columns, ascending

  [[nodiscard]] std::size_t n_tokens() const noexcept { return x.size() / rows.n_cols; }
};

Result<StaticRanges> static_ranges(const Calibration& calibration, std::string_view rule, CodeType code) {
  RangeOptions options;
  options.symmetric = code.symmetric();
  options.bits = code.bits;
  const ObserverKind* kind = observer_of(rule, options);
  if (kind == nullptr)
    return fail(ErrorKind::usage, "--range",
                fmt::format("«{}» is none of min-max, moving-average, percentile, entropy and mse", rule));
  StaticRanges ranges;
  for (const auto& [key, observer] : calibration.entries()) {
    if (key.second != kind->name) continue;
    KERF_TRY(const auto found, observer->ranges(options));
    ranges[key.first] = found.front();
  }
  if (ranges.empty())
    return fail(ErrorKind::input, "--calibration",
                fmt::format("there is no {} observer in it; «kerf calibrate --observe {}» adds one",
                            kind->name, kind->name));
  return ranges;
}

Result<QuantizedEngine::Input> QuantizedEngine::prepare(const Linear& layer, std::span<const float> x) {
  const std::size_t n_cols = layer.n_cols();
  const auto bad = std::find_if(x.begin(), x.end(), [](float value) { return !std::isfinite(value); });
  if (bad != x.end()) {
    const auto place = static_cast<std::size_t>(bad - x.begin());
    return fail(ErrorKind::numeric, layer.name,
                fmt::format("{} flows into column {} at token {} of the batch, which no integer stands for",
                            *bad, place % n_cols, place / n_cols));
  }
  ActivationRange range;
  if (spec_.scope == ActivationSpec::Scope::fixed) {
    const auto found = ranges_.find(layer.name);
    if (found == ranges_.end())
      return fail(ErrorKind::input, layer.name,
                  "the calibration has no range of what flows into it; calibrate this very model");
    range = found->second;
  }
  Input input;
  input.x = x;
  std::vector<float> rest;
  if (spec_.splits_outliers) {
    rest.assign(x.begin(), x.end());
    for (std::size_t k = 0; k < n_cols; ++k) {
      float most = 0;
      for (std::size_t i = k; i < x.size(); i += n_cols) most = std::max(most, std::abs(x[i]));
      if (most < spec_.outlier_threshold) continue;
      input.outliers.push_back(k);
      for (std::size_t i = k; i < rest.size(); i += n_cols) rest[i] = 0;
    }
    n_outliers_ += input.outliers.size();
    n_columns_ += n_cols;
  }
  input.rows = quantize_rows(spec_, spec_.splits_outliers ? std::span<const float>(rest) : x, n_cols, range);
  if (spec_.code.narrow()) input.narrow.assign(input.rows.codes.begin(), input.rows.codes.end());
  return input;
}

Result<void> QuantizedEngine::multiply_one(const Linear& layer, const Input& input, float* y,
                                           std::size_t y_stride, ThreadPool& pool) const {
  KERF_TRY(const IntegerWeight weight, IntegerWeight::of(layer, weights_));
  const std::size_t n = layer.n_cols();
  const bool narrow = weight.narrow() && spec_.code.narrow() && n <= kNarrowColumns;
  const bool decodes = weight.needs_decoded() || !input.outliers.empty();
  const Format& format = *layer.weight.format;
  pool.parallel_for(layer.n_rows(), 16, [&](std::size_t begin, std::size_t end, unsigned) {
    IntegerRow row;
    std::vector<float> decoded(n);
    std::vector<std::int16_t> codes;
    for (std::size_t r = begin; r < end; ++r) {
      if (decodes) format.decode(layer.weight.bytes + r * format.row_bytes(n), decoded.data(), n);
      weight.unpack(r, decoded.data(), row);
      if (narrow) codes.assign(row.codes.begin(), row.codes.end());
      for (std::size_t t = 0; t < input.n_tokens(); ++t) {
        const float* scales = input.rows.scales.data() + t * input.rows.n_groups();
        double sum =
            narrow ? product(input.narrow.data() + t * n, scales, input.rows.group, codes.data(), row, n)
                   : product(input.rows.codes.data() + t * n, scales, input.rows.group, row.codes.data(), row,
                             n);
        for (const std::size_t k : input.outliers)
          sum += static_cast<double>(input.x[t * n + k]) * static_cast<double>(decoded[k]);
        y[t * y_stride + r] = static_cast<float>(sum) + (layer.bias.empty() ? 0.0F : layer.bias[r]);
      }
    }
  });
  return {};
}

void QuantizedEngine::multiply(std::span<const Linear> layers, const float* x, std::size_t n_tokens, float* y,
                               std::size_t y_stride, ThreadPool& pool) {
  const auto run = [&]() -> Result<void> {
    KERF_TRY(const Input input, prepare(layers.front(), std::span(x, n_tokens * layers.front().n_cols())));
    float* part = y;
    for (const Linear& layer : layers) {
      KERF_CHECK_OK(multiply_one(layer, input, part, y_stride, pool));
      part += layer.n_rows();
    }
    return {};
  };
  Result<void> done = status_ ? run() : status_;
  if (done) return;
  status_ = std::move(done);
  std::size_t width = 0;
  for (const Linear& layer : layers) width += layer.n_rows();
  for (std::size_t t = 0; t < n_tokens; ++t)
    std::fill_n(y + t * y_stride, width, std::numeric_limits<float>::quiet_NaN());
}

}  // namespace kerf

// Histogram of signed numbers in 4096 bins, width 2^e: the smallest e ≥ −149 that leaves every |x| below
// 2^(e + 11). When a larger number comes, e grows and bins join in pairs. floor(floor(x / w) / 2) = floor(x /
// 2w), so the counts are what they would be had e been known from the start: the state is a function of the
// numbers alone.
//   fields: exponent [1], first_bin [1], counts [n]: the bins from the first to the last that is not empty;
//   all
//           empty before the first batch
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kerf/calib/histogram_range.h"
#include "kerf/calib/state_reader.h"

namespace kerf {
namespace {

class HistogramObserver final : public Observer {
 public:
  [[nodiscard]] const ObserverKind& kind() const noexcept override { return observers::histogram; }

  [[nodiscard]] ObserverState state() const override {
    const auto filled = [](std::uint64_t n) { return n != 0; };
    const auto first = std::find_if(counts_.begin(), counts_.end(), filled);
    if (first == counts_.end()) return {};
    const auto last = std::find_if(counts_.rbegin(), counts_.rend(), filled).base();
    return {{"exponent", std::vector{static_cast<std::int64_t>(exponent_)}},
            {"first_bin", std::vector{static_cast<std::int64_t>(first - counts_.begin())}},
            {"counts", std::vector<std::int64_t>(first, last)}};
  }

  [[nodiscard]] Result<std::vector<ActivationRange>> ranges(const RangeOptions& options) const override {
    if (std::all_of(counts_.begin(), counts_.end(), [](std::uint64_t n) { return n == 0; }))
      return nothing_observed(kind().name);
    KERF_TRY(const ActivationRange range, histogram_range({counts_, std::ldexp(1.0, exponent_)}, options));
    return std::vector{range};
  }

  static Result<std::unique_ptr<Observer>> restore(const ObserverState& state);

 protected:
  Result<void> join(const Observer& other) override {
    HistogramObserver more = static_cast<const HistogramObserver&>(other);
    widen(more.exponent_);
    more.widen(exponent_);
    for (std::size_t b = 0; b < kBins; ++b) counts_[b] += more.counts_[b];
    return {};
  }

  Result<void> add(const ActivationBatch& batch) override {
    float largest = 0;
    for (const float v : batch.x) largest = std::max(largest, std::fabs(v));
    widen(exponent_for(largest));
    const double per_width = std::ldexp(1.0, -exponent_);
    for (const float v : batch.x)
      ++counts_[static_cast<std::size_t>(std::floor(static_cast<double>(v) * per_width) + kHalf)];
    return {};
  }

 private:
  static constexpr std::size_t kBins = 4096;
  static constexpr int kHalfBits = 11;
  static constexpr int kHalf = 1 << kHalfBits;
  static constexpr int kSmallestExponent = -149;  // every binary32 number is a multiple of 2^-149
  static constexpr int kLargestExponent = 128 - kHalfBits;

  static int exponent_for(float largest) {
    int exponent = kSmallestExponent;
    if (largest > 0) std::frexp(largest, &exponent);  // largest < 2^exponent
    return std::max(largest > 0 ? exponent - kHalfBits : exponent, kSmallestExponent);
  }

  /// Joins bins until the width is at least 2^exponent.
  void widen(int exponent) {
    if (exponent <= exponent_) return;
    const int shift = std::min(exponent - exponent_, 30);
    std::array<std::uint64_t, kBins> wider{};
    for (int b = 0; b < static_cast<int>(kBins); ++b)
      wider[static_cast<std::size_t>(((b - kHalf) >> shift) + kHalf)] += counts_[static_cast<std::size_t>(b)];
    counts_ = wider;
    exponent_ = exponent;
  }

  int exponent_ = kSmallestExponent;
  std::array<std::uint64_t, kBins> counts_{};
};

Result<std::unique_ptr<Observer>> HistogramObserver::restore(const ObserverState& state) {
  const StateReader reader(state, observers::histogram.name);
  KERF_TRY(const auto exponent, reader.integers("exponent"));
  KERF_TRY(const auto first_bin, reader.integers("first_bin"));
  KERF_TRY(const auto counts, reader.integers("counts"));
  auto out = std::make_unique<HistogramObserver>();
  if (exponent.empty() && first_bin.empty() && counts.empty()) return out;
  if (exponent.size() != 1 || exponent[0] < kSmallestExponent || exponent[0] > kLargestExponent)
    return reader.refuse("the width of the bins is out of range");
  if (first_bin.size() != 1 || counts.empty() || counts.size() > kBins || first_bin[0] < 0 ||
      static_cast<std::uint64_t>(first_bin[0]) > kBins - counts.size())
    return reader.refuse("the counts do not lie within the bins");
  // Sums of counts must not wrap when histograms are joined.
  constexpr std::int64_t kMostCounts = std::int64_t{1} << 50;
  for (const std::int64_t count : counts)
    if (count < 0 || count > kMostCounts) return reader.refuse(fmt::format("a count is {}", count));
  out->exponent_ = static_cast<int>(exponent[0]);
  std::copy(counts.begin(), counts.end(), out->counts_.begin() + first_bin[0]);
  return out;
}

}  // namespace

const ObserverKind observers::histogram{
    .name = "histogram",
    .summary = "counts in 4096 bins that widen by doubling: percentile, entropy and MSE ranges",
    .make = [] { return std::unique_ptr<Observer>(std::make_unique<HistogramObserver>()); },
    .restore = HistogramObserver::restore};

}  // namespace kerf

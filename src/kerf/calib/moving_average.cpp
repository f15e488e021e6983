// Moving average of the extremes of the batches: m ← (1 − c) m + c min(x), the first batch starting it; the
// same for the maximum. The outcome depends on the order of the batches, so a running value cannot be merged.
// What is kept is the extremes of each batch under its number; the average is taken over them in the order of
// the numbers when it is asked for, and c may be chosen then. A batch seen in parts counts once, with the
// extremes of all parts.
//   fields: batches [n] ascending, low [n], high [n]
// Source: torch.ao.quantization's MovingAverageMinMaxObserver (c = 0.01).
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kerf/calib/state_reader.h"

namespace kerf {
namespace {

class MovingAverage final : public Observer {
 public:
  [[nodiscard]] const ObserverKind& kind() const noexcept override { return observers::moving_average; }

  [[nodiscard]] ObserverState state() const override {
    std::vector<std::int64_t> numbers;
    std::vector<double> low;
    std::vector<double> high;
    for (const auto& [number, extremes] : batches_) {
      numbers.push_back(static_cast<std::int64_t>(number));
      low.push_back(extremes.low);
      high.push_back(extremes.high);
    }
    return {{"batches", numbers}, {"low", low}, {"high", high}};
  }

  [[nodiscard]] Result<std::vector<ActivationRange>> ranges(const RangeOptions& options) const override {
    KERF_CHECK_OK(check_whole_range(options, kind().name));
    if (!(options.momentum > 0 && options.momentum <= 1))
      return fail(ErrorKind::usage, std::string(kind().name),
                  fmt::format("a momentum of {:g} is not above 0 and at most 1", options.momentum));
    if (batches_.empty()) return nothing_observed(kind().name);
    const double c = options.momentum;
    ActivationRange average = batches_.begin()->second;
    for (auto batch = std::next(batches_.begin()); batch != batches_.end(); ++batch) {
      average.low = (1 - c) * average.low + c * batch->second.low;
      average.high = (1 - c) * average.high + c * batch->second.high;
    }
    return std::vector{made_symmetric(average, options.symmetric)};
  }

  static Result<std::unique_ptr<Observer>> restore(const ObserverState& state) {
    const StateReader reader(state, observers::moving_average.name);
    KERF_TRY(const auto numbers, reader.integers("batches"));
    KERF_TRY(const auto low, reader.numbers("low"));
    KERF_TRY(const auto high, reader.numbers("high"));
    if (low.size() != numbers.size() || high.size() != numbers.size())
      return reader.refuse("the batches do not go with their extremes");
    auto out = std::make_unique<MovingAverage>();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const bool ascending =
          i == 0 || static_cast<std::uint64_t>(numbers[i - 1]) < static_cast<std::uint64_t>(numbers[i]);
      if (!ascending || low[i] > high[i]) return reader.refuse(fmt::format("entry {} is no batch", i));
      out->include(static_cast<std::uint64_t>(numbers[i]), {low[i], high[i]});
    }
    return out;
  }

 protected:
  Result<void> join(const Observer& other) override {
    for (const auto& [number, extremes] : static_cast<const MovingAverage&>(other).batches_)
      include(number, extremes);
    return {};
  }

  Result<void> add(const ActivationBatch& batch) override {
    const auto [low, high] = std::minmax_element(batch.x.begin(), batch.x.end());
    include(batch.number, {static_cast<double>(*low), static_cast<double>(*high)});
    return {};
  }

 private:
  void include(std::uint64_t number, ActivationRange extremes) {
    const auto [place, is_new] = batches_.try_emplace(number, extremes);
    ActivationRange& range = place->second;
    // −0 + 0 = 0: which of the two zeros came first must not show.
    range.low = std::min(range.low, extremes.low) + 0.0;
    range.high = std::max(range.high, extremes.high) + 0.0;
  }

  std::map<std::uint64_t, ActivationRange> batches_;
};

}  // namespace

const ObserverKind observers::moving_average{
    .name = "moving-average",
    .summary = "moving average of the extremes of batches, in the order of their numbers",
    .make = [] { return std::unique_ptr<Observer>(std::make_unique<MovingAverage>()); },
    .restore = MovingAverage::restore};

}  // namespace kerf

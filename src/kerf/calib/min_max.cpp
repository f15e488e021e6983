// Running minimum and maximum.
//   fields: extremes [low, high], empty before the first batch
#include <algorithm>

#include "kerf/calib/state_reader.h"

namespace kerf {
namespace {

class MinMax final : public Observer {
 public:
  [[nodiscard]] const ObserverKind& kind() const noexcept override { return observers::min_max; }

  [[nodiscard]] ObserverState state() const override {
    std::vector<double> extremes;
    if (any_) extremes = {low_, high_};
    return {{"extremes", extremes}};
  }

  [[nodiscard]] Result<std::vector<ActivationRange>> ranges(const RangeOptions& options) const override {
    KERF_CHECK_OK(check_whole_range(options, kind().name));
    if (!any_) return nothing_observed(kind().name);
    return std::vector{made_symmetric({low_, high_}, options.symmetric)};
  }

  static Result<std::unique_ptr<Observer>> restore(const ObserverState& state) {
    const StateReader reader(state, observers::min_max.name);
    KERF_TRY(const auto extremes, reader.numbers("extremes"));
    auto out = std::make_unique<MinMax>();
    if (extremes.empty()) return out;
    if (extremes.size() != 2 || extremes[0] > extremes[1]) return reader.refuse("the extremes are no range");
    out->include(extremes[0], extremes[1]);
    return out;
  }

 protected:
  Result<void> join(const Observer& other) override {
    const auto& more = static_cast<const MinMax&>(other);
    if (more.any_) include(more.low_, more.high_);
    return {};
  }

  Result<void> add(const ActivationBatch& batch) override {
    const auto [low, high] = std::minmax_element(batch.x.begin(), batch.x.end());
    include(static_cast<double>(*low), static_cast<double>(*high));
    return {};
  }

 private:
  void include(double low, double high) {
    // −0 + 0 = 0: which of the two zeros came first must not show.
    low_ = (any_ ? std::min(low_, low) : low) + 0.0;
    high_ = (any_ ? std::max(high_, high) : high) + 0.0;
    any_ = true;
  }

  bool any_ = false;
  double low_ = 0;
  double high_ = 0;
};

}  // namespace

const ObserverKind observers::min_max{
    .name = "min-max",
    .summary = "smallest and largest number",
    .make = [] { return std::unique_ptr<Observer>(std::make_unique<MinMax>()); },
    .restore = MinMax::restore};

}  // namespace kerf

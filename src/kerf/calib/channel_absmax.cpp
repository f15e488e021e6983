// The largest magnitude of each channel: what SmoothQuant and per-channel scales need, and where outlier
// channels show.
//   fields: absmax [C], empty before the first batch
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/calib/state_reader.h"

namespace kerf {
namespace {

class ChannelAbsmax final : public Observer {
 public:
  [[nodiscard]] const ObserverKind& kind() const noexcept override { return observers::channel_absmax; }

  [[nodiscard]] ObserverState state() const override {
    return {{"absmax", std::vector<double>(absmax_.begin(), absmax_.end())}};
  }

  [[nodiscard]] Result<std::vector<ActivationRange>> ranges(const RangeOptions& options) const override {
    KERF_CHECK_OK(check_whole_range(options, kind().name));
    if (!options.symmetric)
      return fail(ErrorKind::unsupported, std::string(kind().name), "knows symmetric ranges only");
    if (absmax_.empty()) return nothing_observed(kind().name);
    std::vector<ActivationRange> out;
    for (const float v : absmax_) out.push_back({-static_cast<double>(v), static_cast<double>(v)});
    return out;
  }

  static Result<std::unique_ptr<Observer>> restore(const ObserverState& state) {
    const StateReader reader(state, observers::channel_absmax.name);
    KERF_TRY(const auto absmax, reader.numbers("absmax"));
    auto out = std::make_unique<ChannelAbsmax>();
    for (const double v : absmax) {
      if (std::signbit(v) || v != static_cast<double>(static_cast<float>(v)))
        return reader.refuse(fmt::format("{} is no magnitude in binary32", v));
      out->absmax_.push_back(static_cast<float>(v));
    }
    return out;
  }

 protected:
  Result<void> join(const Observer& other) override {
    const auto& more = static_cast<const ChannelAbsmax&>(other).absmax_;
    if (more.empty()) return {};
    KERF_CHECK_OK(have_channels(more.size()));
    for (std::size_t c = 0; c < more.size(); ++c) absmax_[c] = std::max(absmax_[c], more[c]);
    return {};
  }

  Result<void> add(const ActivationBatch& batch) override {
    KERF_CHECK_OK(have_channels(batch.n_channels));
    for (std::size_t t = 0; t < batch.n_tokens(); ++t) {
      const float* const row = batch.x.data() + t * batch.n_channels;
      for (std::size_t c = 0; c < batch.n_channels; ++c) absmax_[c] = std::max(absmax_[c], std::fabs(row[c]));
    }
    return {};
  }

 private:
  Result<void> have_channels(std::size_t n) {
    if (absmax_.empty()) absmax_.resize(n, 0.0F);
    if (absmax_.size() == n) return {};
    return fail(ErrorKind::input, std::string(kind().name),
                fmt::format("{} channels cannot be joined with {}", n, absmax_.size()));
  }

  std::vector<float> absmax_;
};

}  // namespace

const ObserverKind observers::channel_absmax{
    .name = "channel-absmax",
    .summary = "largest magnitude of each channel",
    .make = [] { return std::unique_ptr<Observer>(std::make_unique<ChannelAbsmax>()); },
    .restore = ChannelAbsmax::restore};

}  // namespace kerf

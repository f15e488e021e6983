// Σ x² of each channel and the number of tokens: the diagonal of XᵀX, the «importance matrix» that weighs
// errors of a weight's columns by what they do to the output. The sums are exact (exact_sum.h): nothing
// depends on how the tokens were split.
//   fields: tokens [1], channels [1], first_limb [1], limbs [C, n]: the limbs first_limb … first_limb + n − 1
//   of
//           each sum, the others being zero; all empty before the first batch
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/base/bits.h"
#include "kerf/calib/exact_sum.h"
#include "kerf/calib/state_reader.h"

namespace kerf {
namespace {

class SecondMoment final : public Observer {
 public:
  [[nodiscard]] const ObserverKind& kind() const noexcept override { return observers::second_moment; }

  [[nodiscard]] ObserverState state() const override {
    if (sums_.empty()) return {};
    const auto [first, last] = limbs_in_use();
    std::vector<std::int64_t> limbs;
    for (const ExactSquareSum& sum : sums_)
      for (std::size_t i = first; i < last; ++i) limbs.push_back(static_cast<std::int64_t>(sum.limbs()[i]));
    return {{"tokens", std::vector{static_cast<std::int64_t>(n_tokens_)}},
            {"channels", std::vector{static_cast<std::int64_t>(sums_.size())}},
            {"first_limb", std::vector{static_cast<std::int64_t>(first)}},
            {"limbs", limbs}};
  }

  [[nodiscard]] Result<Importance> importance() const override {
    if (sums_.empty()) return nothing_observed(kind().name);
    Importance out{sums_.size(), {}, {static_cast<double>(n_tokens_)}};
    for (const ExactSquareSum& sum : sums_) {
      out.mean_square.push_back(static_cast<float>(sum.value() / static_cast<double>(n_tokens_)));
      if (!std::isfinite(out.mean_square.back()))
        return fail(
            ErrorKind::numeric, std::string(kind().name),
            fmt::format("the mean square of channel {} is beyond binary32", out.mean_square.size() - 1));
    }
    return out;
  }

  static Result<std::unique_ptr<Observer>> restore(const ObserverState& state);

 protected:
  Result<void> join(const Observer& other) override {
    const auto& more = static_cast<const SecondMoment&>(other);
    if (more.sums_.empty()) return {};
    KERF_CHECK_OK(have_channels(more.sums_.size()));
    for (std::size_t c = 0; c < sums_.size(); ++c) sums_[c].add(more.sums_[c]);
    n_tokens_ += more.n_tokens_;
    return {};
  }

  Result<void> add(const ActivationBatch& batch) override {
    KERF_CHECK_OK(have_channels(batch.n_channels));
    std::uint64_t n_added = 0;
    for (std::size_t t = 0; t < batch.n_tokens(); ++t) {
      const float* const row = batch.x.data() + t * batch.n_channels;
      for (std::size_t c = 0; c < batch.n_channels; ++c) sums_[c].add_square(row[c]);
      if (++n_added % ExactSquareSum::kMostAdds == 0) carry();
    }
    carry();
    n_tokens_ += batch.n_tokens();
    return {};
  }

 private:
  void carry() noexcept {
    for (ExactSquareSum& sum : sums_) sum.carry();
  }

  /// The smallest range that holds every limb that is not zero.
  [[nodiscard]] std::pair<std::size_t, std::size_t> limbs_in_use() const noexcept {
    std::size_t first = ExactSquareSum::kLimbs;
    std::size_t last = 0;
    for (const ExactSquareSum& sum : sums_)
      for (std::size_t i = 0; i < ExactSquareSum::kLimbs; ++i)
        if (sum.limbs()[i] != 0) {
          first = std::min(first, i);
          last = std::max(last, i + 1);
        }
    return last == 0 ? std::pair<std::size_t, std::size_t>{0, 1} : std::pair{first, last};
  }

  Result<void> have_channels(std::size_t n) {
    if (sums_.empty()) sums_.resize(n);
    if (sums_.size() == n) return {};
    return fail(ErrorKind::input, std::string(kind().name),
                fmt::format("{} channels cannot be joined with {}", n, sums_.size()));
  }

  std::uint64_t n_tokens_ = 0;
  std::vector<ExactSquareSum> sums_;  // carries passed on
};

Result<std::unique_ptr<Observer>> SecondMoment::restore(const ObserverState& state) {
  const StateReader reader(state, observers::second_moment.name);
  KERF_TRY(const auto tokens, reader.integers("tokens"));
  KERF_TRY(const auto channels, reader.integers("channels"));
  KERF_TRY(const auto first_limb, reader.integers("first_limb"));
  KERF_TRY(const auto limbs, reader.integers("limbs"));
  auto out = std::make_unique<SecondMoment>();
  if (tokens.empty() && channels.empty() && first_limb.empty() && limbs.empty()) return out;
  if (tokens.size() != 1 || channels.size() != 1 || first_limb.size() != 1 || tokens[0] < 1 ||
      channels[0] < 1)
    return reader.refuse("there are not as many tokens and channels as one could have seen");
  const auto n_channels = static_cast<std::uint64_t>(channels[0]);
  const std::uint64_t n_limbs = limbs.size() / n_channels;
  if (n_limbs == 0 || limbs.size() % n_channels != 0 || first_limb[0] < 0 ||
      static_cast<std::uint64_t>(first_limb[0]) + n_limbs > ExactSquareSum::kLimbs)
    return reader.refuse("the limbs do not go with the channels");
  out->n_tokens_ = static_cast<std::uint64_t>(tokens[0]);
  out->sums_.resize(n_channels);
  for (std::size_t i = 0; i < limbs.size(); ++i) {
    if (limbs[i] < 0 || limbs[i] > 0xFFFFFFFF)
      return reader.refuse(fmt::format("limb {} is out of range", i));
    out->sums_[i / n_limbs].limbs()[static_cast<std::size_t>(first_limb[0]) + i % n_limbs] =
        static_cast<std::uint64_t>(limbs[i]);
  }
  return out;
}

}  // namespace

const ObserverKind observers::second_moment{
    .name = "second-moment",
    .summary = "exact sum of squares of each channel: the importance matrix",
    .make = [] { return std::unique_ptr<Observer>(std::make_unique<SecondMoment>()); },
    .restore = SecondMoment::restore};

}  // namespace kerf

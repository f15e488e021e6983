#include "kerf/calib/observer.h"

#include <fmt/format.h>

#include <cmath>

#include "kerf/base/check.h"

namespace kerf {
namespace {

constexpr const ObserverKind* kObservers[] = {
#define KERF_OBSERVER(identifier) &observers::identifier,
#include "kerf/calib/observers.def"
#undef KERF_OBSERVER
};

}  // namespace

std::span<const ObserverKind* const> all_observers() noexcept {
  return kObservers;
}

const ObserverKind* find_observer(std::string_view name) noexcept {
  for (const ObserverKind* kind : kObservers)
    if (kind->name == name) return kind;
  return nullptr;
}

Result<void> Observer::observe(const ActivationBatch& batch) {
  if (batch.x.empty()) return {};
  KERF_CHECK(batch.n_channels > 0 && batch.x.size() % batch.n_channels == 0);
  for (std::size_t i = 0; i < batch.x.size(); ++i)
    if (!std::isfinite(batch.x[i]))
      return fail(ErrorKind::numeric, std::string(kind().name),
                  fmt::format("batch {}: token {}, channel {} is {}", batch.number, i / batch.n_channels,
                              i % batch.n_channels, batch.x[i]));
  return add(batch);
}

Result<void> Observer::merge(const Observer& other) {
  KERF_CHECK(&other.kind() == &kind());
  return join(other);
}

Result<std::vector<ActivationRange>> Observer::ranges(const RangeOptions&) const {
  return fail(ErrorKind::unsupported, std::string(kind().name), "does not remember ranges");
}

Result<Importance> Observer::importance() const {
  return fail(ErrorKind::unsupported, std::string(kind().name),
              "does not remember second moments; «second-moment» does");
}

}  // namespace kerf

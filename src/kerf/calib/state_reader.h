// Reads back the state of an observer; everything that a stored state may get wrong is refused here.
#pragma once

#include "kerf/calib/observer.h"

namespace kerf {

class StateReader {
 public:
  StateReader(const ObserverState& state, std::string_view kind) : state_(state), kind_(kind) {}

  /// A field, empty if it is missing (fields without values are not stored). Errors: input (of the other
  /// type).
  [[nodiscard]] Result<std::vector<std::int64_t>> integers(std::string_view name) const;
  /// The same; every number is finite.
  [[nodiscard]] Result<std::vector<double>> numbers(std::string_view name) const;

  [[nodiscard]] tl::unexpected<Error> refuse(std::string what) const;

 private:
  template <class T>
  [[nodiscard]] Result<std::vector<T>> field(std::string_view name) const;

  const ObserverState& state_;
  std::string_view kind_;
};

/// Whether the options ask for more than the whole range.
Result<void> check_whole_range(const RangeOptions& options, std::string_view kind);

/// Error of an observer that was asked before it saw anything.
[[nodiscard]] tl::unexpected<Error> nothing_observed(std::string_view kind);

/// The range as it is, or the symmetric one that holds it.
[[nodiscard]] ActivationRange made_symmetric(ActivationRange range, bool symmetric) noexcept;

}  // namespace kerf

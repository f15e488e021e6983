// Observer: what is remembered of a stream of activations, and how two memories become one.
//
// Merging is associative and commutative to the last bit: however data is split over threads and machines and
// in whatever order the parts are joined, the same state comes out, and the same file. So an observer holds
// whole numbers, extremes, or sums that are exact; what needs rounding is computed when it is asked for.
//
// A new observer is one file that defines a `const ObserverKind` and one line in observers.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kerf/base/result.h"
#include "kerf/calib/importance.h"

namespace kerf {

/// Activations x[n_tokens, n_channels]. `number` is its place in the whole run, whoever sees it and when:
/// batches of one run have different numbers.
struct ActivationBatch {
  std::span<const float> x;
  std::size_t n_channels = 0;
  std::uint64_t number = 0;

  [[nodiscard]] std::size_t n_tokens() const noexcept { return n_channels == 0 ? 0 : x.size() / n_channels; }
};

struct ActivationRange {
  double low = 0, high = 0;
};

/// How a range is to be drawn from what was observed.
struct RangeOptions {
  enum class Rule : std::uint8_t { whole, percentile, entropy, mse };
  enum class Edge : std::uint8_t { lower, upper };

  Rule rule = Rule::whole;    ///< of a histogram; others know only the whole range
  bool symmetric = true;      ///< low = −high
  double percentile = 99.99;  ///< of rule `percentile`
  Edge edge = Edge::upper;    ///< of the bin in which the percentile lies: the upper one clips less
  int bits = 8;               ///< of rules `entropy` and `mse`
  double momentum = 0.01;     ///< of a moving average: the part of each new batch
};

/// A named part of an observer's state: whole numbers or binary64.
struct StateField {
  std::string name;
  std::variant<std::vector<std::int64_t>, std::vector<double>> values;

  bool operator==(const StateField&) const = default;
};
using ObserverState = std::vector<StateField>;

struct ObserverKind;

class Observer {
 public:
  virtual ~Observer() = default;
  [[nodiscard]] virtual const ObserverKind& kind() const noexcept = 0;

  /// Adds a batch, or nothing of it. Errors: numeric (NaN or infinity, with its place), input (another number
  /// of channels than before, where channels are told apart).
  Result<void> observe(const ActivationBatch& batch);

  /// Adds what another of the same kind saw. Errors: input (another number of channels).
  Result<void> merge(const Observer& other);

  /// The whole state, the same for the same data however it was split.
  [[nodiscard]] virtual ObserverState state() const = 0;

  /// One range, or one per channel. Errors: unsupported (knows no ranges, or not this rule), input (nothing
  /// was observed).
  [[nodiscard]] virtual Result<std::vector<ActivationRange>> ranges(const RangeOptions& options) const;

  /// The mean square of each channel: the diagonal of XᵀX / T, the weight that an error in a column of a
  /// weight matrix has in the output. Errors: unsupported, input (nothing was observed), numeric (beyond
  /// binary32).
  [[nodiscard]] virtual Result<Importance> importance() const;

 protected:
  /// Adds a batch of finite numbers that is not empty.
  virtual Result<void> add(const ActivationBatch& batch) = 0;
  /// merge() with an observer that is of the same class for certain.
  virtual Result<void> join(const Observer& other) = 0;
};

struct ObserverKind {
  std::string_view name;     ///< «min-max»
  std::string_view summary;  ///< one line for tables
  std::unique_ptr<Observer> (*make)();
  /// From a state() that was stored. Errors: input (no state that this kind would have).
  Result<std::unique_ptr<Observer>> (*restore)(const ObserverState& state);
};

/// Every kind, in the order of observers.def.
[[nodiscard]] std::span<const ObserverKind* const> all_observers() noexcept;
/// nullptr if unknown.
[[nodiscard]] const ObserverKind* find_observer(std::string_view name) noexcept;

#define KERF_OBSERVER(identifier) extern const ObserverKind identifier;
namespace observers {
#include "kerf/calib/observers.def"
}
#undef KERF_OBSERVER

}  // namespace kerf

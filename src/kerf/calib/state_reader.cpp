#include "kerf/calib/state_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kerf {

template <class T>
Result<std::vector<T>> StateReader::field(std::string_view name) const {
  for (const StateField& field : state_) {
    if (field.name != name) continue;
    if (const auto* values = std::get_if<std::vector<T>>(&field.values)) return *values;
    return refuse(fmt::format("«{}» is of another type", name));
  }
  return std::vector<T>{};
}

Result<std::vector<std::int64_t>> StateReader::integers(std::string_view name) const {
  return field<std::int64_t>(name);
}

Result<std::vector<double>> StateReader::numbers(std::string_view name) const {
  KERF_TRY(auto values, field<double>(name));
  if (!std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); }))
    return refuse(fmt::format("«{}» holds what is not a number", name));
  return values;
}

tl::unexpected<Error> StateReader::refuse(std::string what) const {
  return fail(ErrorKind::input, std::string(kind_), std::move(what));
}

Result<void> check_whole_range(const RangeOptions& options, std::string_view kind) {
  if (options.rule == RangeOptions::Rule::whole) return {};
  return fail(ErrorKind::unsupported, std::string(kind),
              "knows only the whole range; «histogram» knows more");
}

tl::unexpected<Error> nothing_observed(std::string_view kind) {
  return fail(ErrorKind::input, std::string(kind), "nothing was observed");
}

ActivationRange made_symmetric(ActivationRange range, bool symmetric) noexcept {
  if (!symmetric) return range;
  const double clip = std::max(std::abs(range.low), std::abs(range.high));
  return {-clip, clip};
}

}  // namespace kerf

#include "kerf/quantizers/rounding.h"

#include <utility>

namespace kerf {
namespace {

constexpr std::pair<Rounding, std::string_view> kNames[] = {
    {Rounding::nearest_even, "nearest-even"},
    {Rounding::nearest_away, "nearest-away"},
    {Rounding::nearest_up, "nearest-up"},
    {Rounding::stochastic, "stochastic"},
    {Rounding::floor, "floor"},
};

}  // namespace

std::string_view name_of(Rounding rounding) noexcept {
  for (const auto& [rule, name] : kNames)
    if (rule == rounding) return name;
  return "unknown";
}

std::optional<Rounding> find_rounding(std::string_view wanted) noexcept {
  for (const auto& [rule, name] : kNames)
    if (name == wanted) return rule;
  return std::nullopt;
}

}  // namespace kerf

// What mappings share: parameters as they are stored, the tables of levels, and the choice of codes.
#pragma once

#include <fmt/core.h>

#include <memory>
#include <span>

#include "kerf/quantizers/mapping.h"

namespace kerf::mapping_grid {

/// The largest magnitude.
[[nodiscard]] double absmax(std::span<const double> x) noexcept;

/// The value that storing as `type` and reading back gives. Errors: numeric (infinite).
Result<double> stored(double value, ParameterType type, std::string_view name);

/// The same for a scale, which stays away from zero: one that would vanish becomes the smallest there is.
Result<double> stored_scale(double scale, ParameterType type);

/// The integers first … last, one table for all who ask for the same.
std::shared_ptr<const LevelTable> integer_levels(int first, int last);

/// A table in use; `first_number` as in LevelTable.
std::shared_ptr<const LevelTable> table_of(std::vector<double> ascending, int first_number);

/// Ascending levels with a zero in the middle from the magnitudes above zero; the zero is number 0.
std::shared_ptr<const LevelTable> mirrored_levels(std::span<const double> positive);

/// The code of number t in units of the levels. A tie between two levels goes, by nearest_even, to the one
/// with the even number; by nearest_away to the larger magnitude; between −v and v to v.
[[nodiscard]] std::uint8_t nearest_code(const LevelTable& levels, double t, RoundingMode rounding,
                                        double u) noexcept;

/// Fills group.codes by the equation; every other field is complete. A zero point is added after rounding.
void choose_codes(MappedGroup& group, std::span<const double> x, const MappingOptions& options);

/// Adds a step if anybody listens. The arguments of `numbers` are formatted only then.
template <class... Args>
void explain(std::vector<Step>* steps, const char* symbol, const char* formula, double value,
             fmt::format_string<Args...> numbers, Args&&... args) {
  if (steps != nullptr)
    steps->push_back({symbol, formula, fmt::format(numbers, std::forward<Args>(args)...), value});
}

/// Whole group of a symmetric grid whose levels are a table and whose largest magnitude is 1: the usual way
/// of NF4, log2 and APoT. scale = max|x|, or 1 for a group of zeros.
Result<MappedGroup> fit_absmax(const Numbers& numbers, const MappingOptions& options,
                               std::shared_ptr<const LevelTable> levels, double largest_level,
                               const char* formula, std::vector<Step>* steps);

}  // namespace kerf::mapping_grid

// Mapping: how one group of numbers is laid on a grid, for study and explanation. Where quantize_row() fills
// the blocks of a format as well as it can, a mapping does exactly what a paper or a program does (absmax,
// zero point, entropy …) and can say how it came to its numbers.
//
// One equation for all: x̂ = scale · level[code] + offset (docs/conventions.md). Numbers are binary64, so that
// what one types is what is mapped; the parameters are rounded to what is stored, and codes are chosen after
// that.
//
// A new mapping is one file in mappings/ that defines a `const Mapping` and one line in mappings.def.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/quantizers/rounding.h"

namespace kerf {

/// How scales, offsets and levels are stored.
enum class ParameterType : std::uint8_t { f64, f32, f16, bf16 };

[[nodiscard]] int bits_of(ParameterType type) noexcept;
[[nodiscard]] std::string_view name_of(ParameterType type) noexcept;
[[nodiscard]] std::optional<ParameterType> find_parameter_type(std::string_view name) noexcept;

struct MappingOptions {
  int bits = 0;                   ///< of a code; 0: what the mapping is made for
  std::optional<bool> symmetric;  ///< the same levels on both sides of zero; absent: as the mapping likes it
  RoundingMode rounding = RoundingMode::nearest_even;
  std::uint64_t seed = 0;         ///< of stochastic rounding
  std::uint64_t first_index = 0;  ///< place of the group's first number in its tensor, for the same
  double percentile = 99.99;      ///< per cent of the numbers that are not clipped
  double power = 2.0;             ///< p of Σ |x − x̂|^p, what a search makes small
  ParameterType parameters = ParameterType::f32;
};

/// A group: n finite numbers and, or empty, as many weights of their squared errors, none negative.
struct Numbers {
  std::span<const double> x;
  std::span<const double> importance;

  [[nodiscard]] double weight(std::size_t i) const noexcept {
    return importance.empty() ? 1.0 : importance[i];
  }
};

/// Ascending levels, shared by all groups that use them.
struct LevelTable {
  std::vector<double> level;
  int first_number = 0;  ///< how the field numbers code 0: −127 for symmetric int8
  bool uniform = false;  ///< level[c] == first_number + c

  [[nodiscard]] std::size_t size() const noexcept { return level.size(); }
};

/// One line of the account of how a parameter came about: symbol = formula = numbers = value. Where there is
/// nothing to put in, `numbers` is empty.
struct Step {
  std::string symbol, formula, numbers;
  double value = 0;
};

/// What became of a group.
struct MappedGroup {
  std::shared_ptr<const LevelTable> levels;
  double scale = 1;
  double offset = 0;
  std::optional<int> zero;  ///< offset = −scale · zero, where an integer zero point is what is stored
  int parameter_bits = 0;   ///< scale, offset, zero point and own levels together
  std::vector<std::uint8_t> codes;

  [[nodiscard]] double value_of(std::uint8_t code) const noexcept {
    return scale * levels->level[code] + offset;
  }
  /// The code as the field writes it: signed where the grid is.
  [[nodiscard]] int number_of(std::uint8_t code) const noexcept { return levels->first_number + code; }
};

struct Mapping {
  enum class Symmetry : std::uint8_t {
    symmetric,
    asymmetric,
    either_symmetric_first,
    either_asymmetric_first
  };

  std::string_view name;     ///< as people type it: «zero-point»
  std::string_view summary;  ///< one line for tables
  int bits_min, bits_max, bits_default;
  Symmetry symmetry;
  bool nearest = true;            ///< codes are of the nearest levels, with a nearest-* rounding
  bool needs_importance = false;  ///< makes no sense without
  std::size_t min_numbers = 1;    ///< fewer tell it nothing

  /// Options are complete and possible, numbers sound (map_group() sees to both). Fills steps if not nullptr.
  /// Errors: numeric (a parameter does not fit its storage).
  Result<MappedGroup> (*fit)(const Numbers& numbers, const MappingOptions& options, std::vector<Step>* steps);
};

/// Every mapping, in the order of mappings.def.
[[nodiscard]] std::span<const Mapping* const> all_mappings() noexcept;
/// nullptr if unknown.
[[nodiscard]] const Mapping* find_mapping(std::string_view name) noexcept;

/// The options with everything that was left open filled in. Errors: usage (bits, symmetry, percentile or
/// power that the mapping cannot do).
Result<MappingOptions> complete_options(const Mapping& mapping, const MappingOptions& options);

/// Maps one group. Errors: usage (as complete_options()), input (no numbers, or too few), numeric (NaN,
/// infinities, numbers beyond binary32, negative weights, parameters that do not fit their storage).
Result<MappedGroup> map_group(const Mapping& mapping, const Numbers& numbers, const MappingOptions& options,
                              std::vector<Step>* steps = nullptr);

/// Which numbers share parameters.
struct Granularity {
  enum class Kind : std::uint8_t { tensor, channel, token, group };
  Kind kind = Kind::tensor;
  std::uint64_t group_size = 0;  ///< of kind `group`: consecutive numbers of a row
};

/// «tensor», «channel» (a row of a weight [R, K]), «token» (a row of activations [T, C]), «group:32».
/// Errors: usage.
Result<Granularity> parse_granularity(std::string_view text);
[[nodiscard]] std::string name_of(const Granularity& granularity);

/// A matrix [n_rows, n_columns] and its groups in the order of the numbers.
struct MappedTensor {
  std::uint64_t n_rows = 0, n_columns = 0;
  std::uint64_t group_size = 0;
  MappingOptions options;  ///< complete
  std::vector<MappedGroup> groups;
  std::vector<Step> steps;  ///< of the first group

  [[nodiscard]] double bits_per_weight() const noexcept;
};

/// Maps a matrix x[n_rows, n_columns]; importance is empty or has one weight per column. The result is the
/// same for any number of threads. Errors: those of map_group(), naming the group; usage (a group size that
/// does not divide the row), cancelled.
Result<MappedTensor> map_tensor(const Mapping& mapping, std::span<const double> x,
                                std::span<const double> importance, std::uint64_t n_rows,
                                const Granularity& granularity, const MappingOptions& options,
                                ThreadPool& pool, Progress& progress);

/// What a mapping cost.
struct MappingErrors {
  double squared = 0;  ///< Σ (x − x̂)²
  double mean_squared = 0;
  double largest = 0;  ///< |x − x̂|
  std::size_t largest_at = 0;
  double relative = 0;        ///< ‖x − x̂‖ / ‖x‖; 0 if all is zero
  double sqnr_db = 0;         ///< −20 log10(relative); infinite without error
  std::size_t n_clipped = 0;  ///< beyond the outermost level by more than half a step
};

[[nodiscard]] MappingErrors errors_of(std::span<const double> x, const MappedTensor& mapped) noexcept;

#define KERF_MAPPING(identifier) extern const Mapping identifier;
namespace mappings {
#include "kerf/quantizers/mappings/mappings.def"
}
#undef KERF_MAPPING

}  // namespace kerf

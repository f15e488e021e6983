#include "kerf/quantizers/mappings/grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "kerf/base/check.h"
#include "kerf/numbers/float16.h"

namespace kerf::mapping_grid {
namespace {

// By way of binary32, like programs that compute their scales in it.
double round_to(double value, ParameterType type) noexcept {
  switch (type) {
    case ParameterType::f64:
      return value;
    case ParameterType::f32:
      return static_cast<double>(static_cast<float>(value));
    case ParameterType::f16:
      return static_cast<double>(f16_to_f32(f32_to_f16(static_cast<float>(value))));
    case ParameterType::bf16:
      return static_cast<double>(bf16_to_f32(f32_to_bf16(static_cast<float>(value))));
  }
  return value;
}

double smallest_of(ParameterType type) noexcept {
  switch (type) {
    case ParameterType::f64:
      return std::numeric_limits<double>::min();
    case ParameterType::f32:
      return std::numeric_limits<float>::denorm_min();
    case ParameterType::f16:
      return 0x1p-24;
    case ParameterType::bf16:
      return 0x1p-133;
  }
  return 1;
}

std::uint8_t clamp_code(double code, std::size_t n_levels) noexcept {
  return static_cast<std::uint8_t>(std::clamp(code, 0.0, static_cast<double>(n_levels - 1)));
}

bool even(int number) noexcept {
  return number % 2 == 0;
}

/// Whether a number exactly between level[lower] and the next goes up.
bool tie_goes_up(const LevelTable& levels, std::size_t lower, RoundingMode rounding) noexcept {
  const double a = levels.level[lower];
  const double b = levels.level[lower + 1];
  if (rounding == RoundingMode::nearest_up || -a == b) return true;
  if (rounding == RoundingMode::nearest_away) return std::abs(b) > std::abs(a);
  return !even(levels.first_number + static_cast<int>(lower));
}

}  // namespace

double absmax(std::span<const double> x) noexcept {
  double largest = 0;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

Result<double> stored(double value, ParameterType type, std::string_view name) {
  const double rounded = round_to(value, type);
  if (std::isfinite(rounded)) return rounded;
  const char* const way_out =
      type == ParameterType::f32 ? "make the numbers smaller" : "store parameters as f32";
  return fail(ErrorKind::numeric, std::string(name),
              fmt::format("{:g} does not fit {}; {}", value, name_of(type), way_out));
}

Result<double> stored_scale(double scale, ParameterType type) {
  KERF_TRY(const double rounded, stored(scale, type, "scale"));
  if (rounded != 0) return rounded;
  return scale < 0 ? -smallest_of(type) : smallest_of(type);
}

std::shared_ptr<const LevelTable> integer_levels(int first, int last) {
  static std::mutex mutex;
  static std::map<std::pair<int, int>, std::shared_ptr<const LevelTable>> known;
  const std::lock_guard lock(mutex);
  auto& slot = known[{first, last}];
  if (slot == nullptr) {
    auto table = std::make_shared<LevelTable>();
    table->first_number = first;
    table->uniform = true;
    for (int v = first; v <= last; ++v) table->level.push_back(v);
    slot = std::move(table);
  }
  return slot;
}

std::shared_ptr<const LevelTable> table_of(std::vector<double> ascending, int first_number) {
  return std::make_shared<LevelTable>(LevelTable{std::move(ascending), first_number, false});
}

std::shared_ptr<const LevelTable> mirrored_levels(std::span<const double> positive) {
  std::vector<double> level;
  for (std::size_t i = positive.size(); i-- > 0;) level.push_back(-positive[i]);
  level.push_back(0.0);
  level.insert(level.end(), positive.begin(), positive.end());
  return table_of(std::move(level), -static_cast<int>(positive.size()));
}

std::uint8_t nearest_code(const LevelTable& levels, double t, RoundingMode rounding, double u) noexcept {
  if (levels.uniform) return clamp_code(round_by(rounding, t, u) - levels.first_number, levels.size());
  const auto& level = levels.level;
  const auto above =
      static_cast<std::size_t>(std::upper_bound(level.begin(), level.end(), t) - level.begin());
  if (above == 0) return 0;
  const std::size_t lower = above - 1;
  if (above == level.size() || rounding == RoundingMode::floor) return static_cast<std::uint8_t>(lower);
  const double to_lower = t - level[lower];
  const double to_upper = level[above] - t;
  const bool up = rounding == RoundingMode::stochastic ? u * (level[above] - level[lower]) < to_lower
                  : to_lower == to_upper               ? tie_goes_up(levels, lower, rounding)
                                                       : to_lower > to_upper;
  return static_cast<std::uint8_t>(up ? above : lower);
}

void choose_codes(MappedGroup& group, std::span<const double> x, const MappingOptions& options) {
  KERF_CHECK(group.levels != nullptr && !group.levels->level.empty() && group.levels->size() <= 256);
  const LevelTable& levels = *group.levels;
  group.codes.resize(x.size());
  const double shift = group.zero ? 0.0 : group.offset;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double u = options.rounding == RoundingMode::stochastic
                         ? uniform_at(options.seed, options.first_index + i)
                         : 0.0;
    const double t = group.scale == 0 ? 0.0 : (x[i] - shift) / group.scale;
    group.codes[i] = group.zero ? clamp_code(round_by(options.rounding, t, u) + *group.zero, levels.size())
                                : nearest_code(levels, t, options.rounding, u);
  }
}

Result<MappedGroup> fit_absmax(const Numbers& numbers, const MappingOptions& options,
                               std::shared_ptr<const LevelTable> levels, double largest_level,
                               const char* formula, std::vector<Step>* steps) {
  const double a = absmax(numbers.x);
  MappedGroup group;
  group.levels = std::move(levels);
  group.parameter_bits = bits_of(options.parameters);
  if (a > 0) {
    KERF_TRY(group.scale, stored_scale(a / largest_level, options.parameters));
  }
  if (largest_level == 1.0)
    explain(steps, "s", formula, group.scale, "{:.6g}", a);
  else
    explain(steps, "s", formula, group.scale, "{:.6g} / {:g}", a, largest_level);
  choose_codes(group, numbers.x, options);
  return group;
}

}  // namespace kerf::mapping_grid

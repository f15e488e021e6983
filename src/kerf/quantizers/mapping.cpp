#include "kerf/quantizers/mapping.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

namespace kerf {
namespace {

constexpr const Mapping* kMappings[] = {
#define KERF_MAPPING(identifier) &mappings::identifier,
#include "kerf/quantizers/mappings/mappings.def"
#undef KERF_MAPPING
};

struct ParameterName {
  ParameterType type;
  std::string_view name;
  int bits;
};

constexpr ParameterName kParameters[] = {{ParameterType::f64, "f64", 64},
                                         {ParameterType::f32, "f32", 32},
                                         {ParameterType::f16, "f16", 16},
                                         {ParameterType::bf16, "bf16", 16}};

Result<void> check_bits(const Mapping& mapping, int bits) {
  if (bits >= mapping.bits_min && bits <= mapping.bits_max) return {};
  const std::string able = mapping.bits_min == mapping.bits_max
                               ? fmt::format("its codes have {} bits", mapping.bits_min)
                               : fmt::format("{} to {} are possible", mapping.bits_min, mapping.bits_max);
  return fail(ErrorKind::usage, std::string(mapping.name),
              fmt::format("cannot map to {} bits: {}", bits, able));
}

Result<void> check_symmetry(const Mapping& mapping, bool symmetric) {
  const bool impossible =
      mapping.symmetry == (symmetric ? Mapping::Symmetry::asymmetric : Mapping::Symmetry::symmetric);
  if (!impossible) return {};
  return fail(ErrorKind::usage, std::string(mapping.name),
              symmetric ? "is asymmetric by nature; «absmax» is symmetric"
                        : "is symmetric by nature; «zero-point» and «min-max» are not");
}

Result<void> check_number(const Mapping& mapping, double v, std::size_t place, std::string_view what) {
  if (!std::isfinite(v))
    return fail(ErrorKind::numeric, std::string(mapping.name),
                fmt::format("{} {} is {}; only finite numbers can be mapped", what, place, v));
  if (std::abs(v) > std::numeric_limits<float>::max())
    return fail(ErrorKind::numeric, std::string(mapping.name),
                fmt::format("{} {} is {:g}, which is beyond binary32", what, place, v));
  return {};
}

Result<void> check_numbers(const Mapping& mapping, const Numbers& numbers) {
  const std::size_t n = numbers.x.size();
  if (n == 0) return fail(ErrorKind::input, std::string(mapping.name), "there are no numbers to map");
  if (n < mapping.min_numbers)
    return fail(ErrorKind::input, std::string(mapping.name),
                fmt::format("needs at least {} numbers and was given {}", mapping.min_numbers, n));
  for (std::size_t i = 0; i < n; ++i) KERF_CHECK_OK(check_number(mapping, numbers.x[i], i, "number"));
  if (numbers.importance.empty()) {
    if (!mapping.needs_importance) return {};
    return fail(ErrorKind::usage, std::string(mapping.name),
                "weighs errors by importance and was given none; «mse» is the same without");
  }
  if (numbers.importance.size() != n)
    return fail(ErrorKind::input, std::string(mapping.name),
                fmt::format("there are {} weights for {} numbers", numbers.importance.size(), n));
  for (std::size_t i = 0; i < n; ++i) {
    KERF_CHECK_OK(check_number(mapping, numbers.importance[i], i, "weight"));
    if (numbers.importance[i] < 0)
      return fail(ErrorKind::numeric, std::string(mapping.name), fmt::format("weight {} is negative", i));
  }
  return {};
}

}  // namespace

int bits_of(ParameterType wanted) noexcept {
  for (const auto& [type, name, bits] : kParameters)
    if (type == wanted) return bits;
  return 0;
}

std::string_view name_of(ParameterType wanted) noexcept {
  for (const auto& [type, name, bits] : kParameters)
    if (type == wanted) return name;
  return "unknown";
}

std::optional<ParameterType> find_parameter_type(std::string_view wanted) noexcept {
  for (const auto& [type, name, bits] : kParameters)
    if (name == wanted) return type;
  return std::nullopt;
}

std::span<const Mapping* const> all_mappings() noexcept {
  return kMappings;
}

const Mapping* find_mapping(std::string_view name) noexcept {
  for (const Mapping* mapping : kMappings)
    if (mapping->name == name) return mapping;
  return nullptr;
}

Result<MappingOptions> complete_options(const Mapping& mapping, const MappingOptions& options) {
  MappingOptions complete = options;
  if (complete.bits == 0) complete.bits = mapping.bits_default;
  KERF_CHECK_OK(check_bits(mapping, complete.bits));
  if (!complete.symmetric)
    complete.symmetric = mapping.symmetry == Mapping::Symmetry::symmetric ||
                         mapping.symmetry == Mapping::Symmetry::either_symmetric_first;
  KERF_CHECK_OK(check_symmetry(mapping, *complete.symmetric));
  const std::string where(mapping.name);
  if (*complete.symmetric && complete.bits == 1 && mapping.bits_min == 1 &&
      mapping.symmetry == Mapping::Symmetry::either_asymmetric_first)
    return fail(ErrorKind::usage, where,
                "one bit has no symmetric levels with a zero; «binary» has −1 and 1");
  if (!(complete.percentile > 50.0 && complete.percentile <= 100.0))
    return fail(ErrorKind::usage, where,
                fmt::format("a percentile of {:g} is not above 50 and at most 100", complete.percentile));
  if (!(complete.power >= 1.0 && complete.power <= 8.0))
    return fail(ErrorKind::usage, where,
                fmt::format("an error to the power of {:g} is not from 1 to 8", complete.power));
  return complete;
}

Result<MappedGroup> map_group(const Mapping& mapping, const Numbers& numbers, const MappingOptions& options,
                              std::vector<Step>* steps) {
  KERF_TRY(const MappingOptions complete, complete_options(mapping, options));
  KERF_CHECK_OK(check_numbers(mapping, numbers));
  return mapping.fit(numbers, complete, steps);
}

}  // namespace kerf

// What `kerf map` found out, and its views: text, number line, drawing. (JSON is made in cmd_map.cpp.)
#pragma once

#include <string>
#include <vector>

#include "kerf/cli/map_source.h"
#include "kerf/quantizers/mapping.h"

namespace kerf::cli {

/// More numbers than that are not listed by comparisons, which keep their codes no longer than needed.
inline constexpr std::size_t kMostCompared = 16;

struct MapReport {
  const Mapping* mapping = nullptr;
  const MapSource* source = nullptr;
  Granularity granularity;
  MappedTensor mapped;
  MappingErrors errors;
  double bits_per_weight = 0;

  [[nodiscard]] double restored(std::size_t i) const noexcept {
    const MappedGroup& group = mapped.groups[i / mapped.group_size];
    return group.value_of(group.codes[i % mapped.group_size]);
  }
  [[nodiscard]] int code_number(std::size_t i) const noexcept {
    const MappedGroup& group = mapped.groups[i / mapped.group_size];
    return group.number_of(group.codes[i % mapped.group_size]);
  }
};

/// A scheme that cannot do what the others did.
struct ImpossibleScheme {
  const Mapping* mapping;
  std::string reason;
};

/// Formulas, the numbers put in, the first numbers one by one, the number line, errors and costs.
std::string map_text(const MapReport& report, std::size_t columns);

/// The schemes there are.
std::string scheme_table();

/// One line per scheme, the smallest error first; of few numbers also the codes.
std::string comparison_text(const std::vector<MapReport>& reports,
                            const std::vector<ImpossibleScheme>& impossible);

/// The numbers of the first group above an axis with its levels, `columns` characters wide: marks, or a
/// histogram if they are many.
std::string number_line(const MapReport& report, std::size_t columns);

/// Histogram of the numbers with the grid over it and what is clipped, a self-contained SVG file. Groups that
/// share their levels are drawn together in units of their scales; of groups with levels of their own, the
/// first.
std::string map_svg(const MapReport& report);

}  // namespace kerf::cli

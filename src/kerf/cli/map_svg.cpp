#include <fmt/core.h>

#include <algorithm>

#include "kerf/cli/map_report.h"
#include "kerf/report/histogram.h"

namespace kerf::cli {
namespace {

/// Values and levels on one scale.
struct Drawn {
  std::vector<float> values;
  std::vector<double> levels;
  std::string label;
};

bool share_levels(const MapReport& report) {
  const auto& groups = report.mapped.groups;
  return std::all_of(groups.begin(), groups.end(), [&](const MappedGroup& group) {
    return group.levels == groups[0].levels && group.zero == groups[0].zero && group.scale != 0;
  });
}

Drawn first_group(const MapReport& report) {
  const MappedGroup& group = report.mapped.groups[0];
  const auto& x = report.source->x;
  Drawn out{{x.begin(), x.begin() + static_cast<std::ptrdiff_t>(report.mapped.group_size)}, {}, "value"};
  for (const double level : group.levels->level) out.levels.push_back(group.scale * level + group.offset);
  std::sort(out.levels.begin(), out.levels.end());
  if (report.mapped.groups.size() > 1) out.label = "value (first group)";
  return out;
}

Drawn in_units_of_the_scale(const MapReport& report) {
  Drawn out{{}, report.mapped.groups[0].levels->level, "(value − offset) / scale of its group"};
  const auto& x = report.source->x;
  out.values.reserve(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const MappedGroup& group = report.mapped.groups[i / report.mapped.group_size];
    out.values.push_back(static_cast<float>((x[i] - group.offset) / group.scale));
  }
  return out;
}

}  // namespace

std::string map_svg(const MapReport& report) {
  const bool together = report.mapped.groups.size() > 1 && share_levels(report);
  const Drawn drawn = together ? in_units_of_the_scale(report) : first_group(report);
  report::HistogramFigure figure;
  figure.title =
      fmt::format("{}: {}, {} bits", report.source->name, report.mapping->name, report.mapped.options.bits);
  figure.value_label = drawn.label;
  figure.values = drawn.values;
  const int first = report.mapped.groups[0].levels->first_number;
  const bool mirrored = report.mapped.groups[0].scale < 0 && !together;
  for (std::size_t c = 0; c < drawn.levels.size(); ++c) {
    const std::size_t code = mirrored ? drawn.levels.size() - 1 - c : c;
    figure.levels.push_back({drawn.levels[c], fmt::format("code {}", first + static_cast<int>(code))});
  }
  return report::histogram_with_levels(figure, report::Surface::file);
}

}  // namespace kerf::cli

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "kerf/cli/map_report.h"

namespace kerf::cli {
namespace {

constexpr std::size_t kShownNumbers = kMostCompared;
constexpr std::size_t kShownLevels = 32;

std::string_view in_words(RoundingMode rounding) {
  switch (rounding) {
    case RoundingMode::nearest_even:
      return "to nearest, ties to even";
    case RoundingMode::nearest_away:
      return "to nearest, ties away from zero";
    case RoundingMode::nearest_up:
      return "to nearest, ties upwards";
    case RoundingMode::stochastic:
      return "stochastic";
    case RoundingMode::toward_zero:
      return "towards zero";
    case RoundingMode::floor:
      return "downwards";
    case RoundingMode::ceil:
      return "upwards";
  }
  return "";
}

/// How codes come about and what they stand for, with the symbols of the steps.
struct Formulas {
  std::string encode, decode;
};

Formulas formulas_of(const Mapping& mapping, const MappedGroup& group) {
  const LevelTable& levels = *group.levels;
  const int first = levels.first_number;
  const int last = first + static_cast<int>(levels.size()) - 1;
  if (group.zero) return {fmt::format("q = clip(round(x / s) + z, {}, {})", first, last), "x̂ = s · (q − z)"};
  if (levels.uniform && mapping.symmetry != Mapping::Symmetry::symmetric && first == 0)
    return {fmt::format("q = clip(round((x − m) / s), {}, {})", first, last), "x̂ = s · q + m"};
  if (levels.uniform) return {fmt::format("q = clip(round(x / s), {}, {})", first, last), "x̂ = s · q"};
  if (!mapping.nearest) return {"level = ±2^round(log2|x / s|), or 0", "x̂ = s · level[q]"};
  if (group.scale == 1 && mapping.symmetry == Mapping::Symmetry::asymmetric)
    return {"q = the level nearest to x", "x̂ = level[q]"};
  return {"q = the level nearest to x / s", "x̂ = s · level[q]"};
}

class TextView {
 public:
  TextView(const MapReport& report, std::size_t columns)
      : report_(report), columns_(columns), group_(report.mapped.groups[0]) {}

  std::string text() && {
    header();
    formulas();
    numbers();
    out_ += '\n' + number_line(report_, columns_ - 4) + '\n';
    results();
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> text, Args&&... args) {
    out_ += fmt::format(text, std::forward<Args>(args)...) + '\n';
  }

  void header() {
    const MappedTensor& mapped = report_.mapped;
    const auto n = mapped.n_rows * mapped.n_columns;
    const std::string groups =
        mapped.groups.size() == 1
            ? fmt::format("{} in one group", n == 1 ? "1 number" : fmt::format("{} numbers", n))
            : fmt::format("[{}, {}] in {} groups of {} ({})", mapped.n_rows, mapped.n_columns,
                          mapped.groups.size(), mapped.group_size, name_of(report_.granularity));
    const MappingOptions& options = mapped.options;
    line("{}: {}", report_.mapping->name, report_.mapping->summary);
    line("{}{}{}, {} bits, rounded {}{}", report_.source->name, report_.source->name.empty() ? "" : ": ",
         groups, options.bits, in_words(options.rounding),
         options.rounding == RoundingMode::stochastic ? fmt::format(" with seed {}", options.seed) : "");
    line("");
  }

  void formulas() {
    if (report_.mapped.groups.size() > 1) line("  first group:");
    for (const Step& step : report_.mapped.steps) {
      const std::string value = fmt::format("{:.7g}", step.value);
      line("  {} = {}{}{} = {}", step.symbol, step.formula,
           step.numbers.empty() || step.numbers == value ? "" : " = ",
           step.numbers == value ? "" : step.numbers, value);
    }
    const Formulas formulas = formulas_of(*report_.mapping, group_);
    line("  {}", formulas.encode);
    line("  {}", formulas.decode);
    if (group_.levels->uniform || group_.levels->size() > kShownLevels) return;
    const auto& level = group_.levels->level;
    for (std::size_t first = 0; first < level.size(); first += 8) {
      std::vector<std::string> shown;
      for (std::size_t c = first; c < std::min(first + 8, level.size()); ++c)
        shown.push_back(fmt::format("{:.6g}", level[c]));
      line("  {:<7} {}", first == 0 ? "levels:" : "", fmt::join(shown, "  "));
    }
  }

  /// Where a number lies among the levels, before rounding.
  [[nodiscard]] double position(std::size_t i) const {
    if (group_.scale == 0) return 0;
    const double t = (report_.source->x[i] - (group_.zero ? 0.0 : group_.offset)) / group_.scale;
    return group_.zero ? t + *group_.zero : t;
  }

  [[nodiscard]] std::string position_name() const {
    if (group_.zero) return "x/s + z";
    return group_.offset != 0 ? "(x − m)/s" : "x/s";
  }

  void numbers() {
    const auto n = std::min<std::size_t>(kShownNumbers, report_.mapped.group_size);
    // Levels of a group's own are compared with the numbers as they are.
    const bool direct = !group_.zero && group_.scale == 1 && group_.offset == 0 && !group_.levels->uniform;
    line("");
    // The hat is a character of no width.
    line("  {:>12}{} {:>6} {:>13} {:>12}", "x", direct ? "" : fmt::format(" {:>12}", position_name()), "q",
         "x̂", "error");
    for (std::size_t i = 0; i < n; ++i) {
      const double x = report_.source->x[i];
      line("  {:>12.6g}{} {:>6} {:>12.6g} {:>12.4g}", x, direct ? "" : fmt::format(" {:>12.6g}", position(i)),
           report_.code_number(i), report_.restored(i), report_.restored(i) - x);
    }
    if (n < report_.source->x.size()) line("  … and {} more", report_.source->x.size() - n);
  }

  void results() {
    const MappingErrors& e = report_.errors;
    const MappedTensor& mapped = report_.mapped;
    const auto n = static_cast<double>(mapped.n_rows * mapped.n_columns);
    line("  largest error       {:.6g}, of x[{}] = {:.6g}", e.largest, e.largest_at,
         report_.source->x[e.largest_at]);
    line("  mean squared error  {:.6g}", e.mean_squared);
    line("  relative error      {:.4g} %", 100 * e.relative);
    line("  SQNR                {:.2f} dB", e.sqnr_db);
    if (e.n_clipped > 0)
      line("  clipped             {} ({:.4g} %)", e.n_clipped, 100.0 * static_cast<double>(e.n_clipped) / n);
    scales();
    line("  bits per weight     {:.6g} = {} for the code + {} per group of {}", report_.bits_per_weight,
         mapped.options.bits, group_.parameter_bits, mapped.group_size);
  }

  void scales() {
    if (report_.mapped.groups.size() < 2) return;
    std::vector<double> scales;
    for (const MappedGroup& group : report_.mapped.groups) scales.push_back(group.scale);
    std::sort(scales.begin(), scales.end());
    line("  scales              {:.4g} … {:.4g}, median {:.4g}", scales.front(), scales.back(),
         scales[scales.size() / 2]);
  }

  const MapReport& report_;
  std::size_t columns_;
  const MappedGroup& group_;
  std::string out_;
};

/// Scales and codes of few numbers in one group.
std::string codes_side_by_side(const std::vector<const MapReport*>& reports) {
  const MapReport& any = *reports.front();
  if (any.source->x.size() > kMostCompared || any.mapped.groups.size() > 1) return "";
  std::string out = fmt::format("\n{:<15} {:>11}  codes\n", "scheme", "scale");
  for (const MapReport* report : reports) {
    out += fmt::format("{:<15} {:>11.6g} ", report->mapping->name, report->mapped.groups[0].scale);
    for (std::size_t i = 0; i < any.source->x.size(); ++i)
      out += fmt::format(" {:>4}", report->code_number(i));
    out += '\n';
  }
  return out;
}

}  // namespace

std::string map_text(const MapReport& report, std::size_t columns) {
  return TextView(report, columns).text();
}

std::string scheme_table() {
  std::string out = fmt::format("{:<15} {:>5}  {}\n", "scheme", "bits", "what it does");
  for (const Mapping* mapping : all_mappings())
    out += fmt::format("{:<15} {:>5}  {}\n", mapping->name,
                       mapping->bits_min == mapping->bits_max
                           ? fmt::format("{}", mapping->bits_min)
                           : fmt::format("{}…{}", mapping->bits_min, mapping->bits_max),
                       mapping->summary);
  return out;
}

std::string comparison_text(const std::vector<MapReport>& reports,
                            const std::vector<ImpossibleScheme>& impossible) {
  std::vector<const MapReport*> sorted;
  for (const MapReport& report : reports) sorted.push_back(&report);
  std::stable_sort(sorted.begin(), sorted.end(), [](const MapReport* a, const MapReport* b) {
    return a->errors.mean_squared < b->errors.mean_squared;
  });
  std::string out = fmt::format("{:<15} {:>4} {:>6} {:>7} {:>8} {:>9} {:>11} {:>8}\n", "scheme", "bits",
                                "levels", "bits/w", "SQNR dB", "relative", "largest", "clipped");
  for (const MapReport* report : sorted) {
    const MappingErrors& e = report->errors;
    out +=
        fmt::format("{:<15} {:>4} {:>6} {:>7.4g} {:>8.2f} {:>8.3g}% {:>11.4g} {:>8}\n", report->mapping->name,
                    report->mapped.options.bits, report->mapped.groups[0].levels->size(),
                    report->bits_per_weight, e.sqnr_db, 100 * e.relative, e.largest, e.n_clipped);
  }
  out += codes_side_by_side(sorted);
  for (const ImpossibleScheme& scheme : impossible) out += fmt::format("not possible: {}\n", scheme.reason);
  return out;
}

}  // namespace kerf::cli

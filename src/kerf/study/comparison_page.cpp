#include "kerf/study/comparison_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/io/printable.h"
#include "kerf/report/heatmap.h"
#include "kerf/report/page.h"
#include "kerf/study/charts.h"

namespace kerf::study {
namespace {

using report::Axis;
using report::Cell;
using report::Page;
using report::Plot;
using report::PlotFrame;
using report::Point;
using report::readable;
using report::series_tone;
using report::Shape;
using report::Stroke;
using report::Surface;
using report::Table;
using report::Tone;

/// Below this divergences are rounding of the sums.
constexpr double kLeastKld = 1e-7;
constexpr std::size_t kOutlierRows = 12;

std::string name_of(const FileSummary& file) {
  return printable(file.path.filename().string());
}

const Comparison& comparison(const ComparedFile& file) {
  return *file.eval.comparison;
}

double megabytes(const FileSummary& file) {
  return static_cast<double>(file.file_bytes) / 1e6;
}

Cell file_cell(const ComparedFile& file, std::size_t i, bool strong) {
  Cell out{name_of(file.file)};
  out.dot = series_tone(static_cast<int>(i));
  out.has_dot = true;
  out.strong = strong;
  return out;
}

struct Range {
  double lo = std::numeric_limits<double>::infinity();
  double hi = -std::numeric_limits<double>::infinity();
  void add(double x) {
    lo = std::min(lo, x);
    hi = std::max(hi, x);
  }
};

std::string size_chart(const ComparisonReport& report, Screen screen) {
  PlotFrame frame = frame_of(screen, "Size against divergence", 460);
  Range size, kld;
  for (const ComparedFile& file : report.files) {
    size.add(megabytes(file.file));
    kld.add(std::max(comparison(file).kld_mean, kLeastKld));
  }
  frame.x = Axis::logarithmic("file, MB", size.lo / 1.08, size.hi * 1.08);
  frame.y = Axis::logarithmic("mean KL divergence, nats per token", kld.lo / 1.5, kld.hi * 1.5);
  Plot plot(std::move(frame));
  const std::vector<std::size_t> best = frontier(report.files);
  std::vector<Point> line;
  for (const std::size_t i : best)
    line.push_back({megabytes(report.files[i].file),
                    std::max(comparison(report.files[i]).kld_mean, kLeastKld), "", "", false});
  plot.line(std::move(line), Tone::muted, "frontier: nothing smaller is closer", Stroke::dotted);
  for (std::size_t i = 0; i < report.files.size(); ++i) {
    const ComparedFile& file = report.files[i];
    const bool important = std::find(best.begin(), best.end(), i) != best.end();
    const std::string tooltip =
        fmt::format("{}: {:.1f} MB, {:.3f} bits per weight, KLD {:.5f}", name_of(file.file),
                    megabytes(file.file), file.file.bits_per_weight(), comparison(file).kld_mean);
    plot.points({{megabytes(file.file), std::max(comparison(file).kld_mean, kLeastKld), tooltip,
                  name_of(file.file), important}},
                series_tone(static_cast<int>(i)), static_cast<Shape>(i % report::kShapes), "");
  }
  return plot.svg(Surface::page);
}

std::string tail_chart(const ComparisonReport& report, Screen screen) {
  PlotFrame frame = frame_of(screen, "Tail of the divergence", 420);
  Range kld, share;
  for (const ComparedFile& file : report.files)
    for (const TailPoint& point : comparison(file).kld_tail) {
      share.add(100 * point.share);
      if (point.share <= 0.9) kld.add(std::max(point.kld, kLeastKld));
    }
  frame.x = Axis::logarithmic("KL divergence of a token, nats", kld.lo, kld.hi * 1.2);
  frame.y = Axis::logarithmic("% of tokens beyond it", share.lo, 100);
  Plot plot(std::move(frame));
  for (std::size_t i = 0; i < report.files.size(); ++i) {
    std::vector<Point> line;
    for (const TailPoint& point : comparison(report.files[i]).kld_tail)
      line.push_back({std::max(point.kld, kLeastKld), 100 * point.share, "", "", false});
    plot.line(std::move(line), series_tone(static_cast<int>(i)), name_of(report.files[i].file),
              static_cast<Stroke>(i / report::kSeriesColours % 3));
  }
  return plot.svg(Surface::page);
}

/// Layers run to the right on wide screens and downward on narrow ones.
std::string error_map(const ComparedFile& file, double lo, double hi, Screen screen) {
  std::vector<std::string> kinds, layers;
  int n_layers = 0;
  for (const MatrixComparison& matrix : file.matrices) {
    MatrixPlace place = place_of(matrix.name);
    n_layers = std::max(n_layers, place.layer + 1);
    if (std::find(kinds.begin(), kinds.end(), place.kind) == kinds.end())
      kinds.push_back(std::move(place.kind));
  }
  std::sort(kinds.begin(), kinds.end());  // the same rows for files of another order
  // What belongs to no layer has a place of its own in front.
  layers.emplace_back("–");
  for (int layer = 0; layer < n_layers; ++layer) layers.push_back(std::to_string(layer));
  const bool wide = screen == Screen::wide;
  report::HeatmapFigure figure;
  figure.values.assign(kinds.size() * layers.size(), std::nan(""));
  for (const MatrixComparison& matrix : file.matrices) {
    const MatrixPlace place = place_of(matrix.name);
    const auto layer = static_cast<std::size_t>(place.layer + 1);
    const auto kind =
        static_cast<std::size_t>(std::find(kinds.begin(), kinds.end(), place.kind) - kinds.begin());
    figure.values[wide ? kind * layers.size() + layer : layer * kinds.size() + kind] =
        matrix.relative_error > 0 ? -decibels(matrix.relative_error)
                                  : -std::numeric_limits<double>::infinity();
  }
  for (std::string& kind : kinds) kind = printable(kind, 24);
  figure.title = name_of(file.file);
  figure.legend = wide ? "dB of ‖W − Ŵ‖² / ‖W‖²; layers from left to right" : "dB; layers downward";
  figure.rows = wide ? kinds : layers;
  figure.columns = wide ? layers : kinds;
  figure.lo = lo;
  figure.hi = hi;
  figure.width = wide ? 1100 : 370;
  return heatmap(figure, Surface::page);
}

class Writer {
 public:
  Writer(const ComparisonReport& report, std::string_view version)
      : report_(report),
        page_("Files of " + name_of(report.base),
              fmt::format("kerf {}: {} file{} beside {} ({}) on {}, {} tokens scored in {} windows of {}",
                          version, report.files.size(), report.files.size() == 1 ? "" : "s",
                          name_of(report.base), size_text(report.base),
                          printable(std::filesystem::path(report.text).filename().string()),
                          report.files.front().eval.tokens_scored, report.files.front().eval.n_windows,
                          report.files.front().eval.ctx)) {}

  std::string html() && {
    answers();
    weights();
    levels();
    outliers();
    types();
    making();
    return page_.html();
  }

 private:
  static std::string size_text(const FileSummary& file) { return fmt::format("{:.1f} MB", megabytes(file)); }
  void answers();
  void weights();
  void levels();
  void outliers();
  void types();
  void making();

  const ComparisonReport& report_;
  Page page_;
};

void Writer::answers() {
  page_.section("answers", "Answers");
  const std::vector<std::size_t> best = frontier(report_.files);
  Table table;
  table.columns = {
      {"file", false, ""},
      {"bytes", true, ""},
      {"bits / weight", true, "of the whole file over all weights"},
      {"KLD", true, "mean Kullback-Leibler divergence from the base, nats per token, ± standard error"},
      {"KLD 99 %", true, "99 % of the tokens are below"},
      {"perplexity", true, ""},
      {"ΔPPL", true, "perplexity less that of the base on the same tokens"},
      {"same top, %", true, "tokens for which both models would say the same"}};
  for (std::size_t i = 0; i < report_.files.size(); ++i) {
    const ComparedFile& file = report_.files[i];
    const Comparison& c = comparison(file);
    const bool leads = std::find(best.begin(), best.end(), i) != best.end();
    table.rows.push_back({{file_cell(file, i, leads),
                           {fmt::format("{}", file.file.file_bytes)},
                           {fmt::format("{:.3f}", file.file.bits_per_weight())},
                           {fmt::format("{:.5f} ± {:.5f}", c.kld_mean, c.kld_se)},
                           {fmt::format("{:.4f}", c.kld_p99)},
                           {fmt::format("{:.4f} ± {:.3f}", file.eval.perplexity, file.eval.perplexity_se)},
                           {fmt::format("{:+.4f}", file.eval.perplexity - c.perplexity_base)},
                           {fmt::format("{:.2f} ± {:.2f}", c.same_top_percent, c.same_top_percent_se)}},
                          leads});
  }
  page_.table(table);
  page_.figure(size_chart(report_, Screen::wide), size_chart(report_, Screen::narrow),
               "Marked rows and strong names: no file of the same bytes or fewer is closer to the base.");
  page_.figure(tail_chart(report_, Screen::wide), tail_chart(report_, Screen::narrow),
               "The share of tokens whose answer is at least so far from the base’s. A mean hides the few "
               "that are far off.");
}

void Writer::weights() {
  page_.section("weights", "Errors of weights");
  page_.paragraph(
      "Each matrix as it is decoded, beside the base: −20 dB is an error of a hundredth of the power. All "
      "maps "
      "share one scale, that of the layers; a calibrated file may have larger errors where they do not "
      "matter. The first place "
      "is for matrices outside the layers; −∞ is exact.");
  Range range;
  for (const ComparedFile& file : report_.files)
    for (const MatrixComparison& matrix : file.matrices)
      if (matrix.relative_error > 0 && place_of(matrix.name).layer >= 0)
        range.add(-decibels(matrix.relative_error));
  if (!std::isfinite(range.lo)) range = {-60, 0};
  for (const ComparedFile& file : report_.files)
    page_.figure(error_map(file, range.lo, range.hi, Screen::wide),
                 error_map(file, range.lo, range.hi, Screen::narrow), "");
}

void Writer::levels() {
  page_.section("levels", "Weights and grids");
  page_.paragraph(
      "The base’s weights over the levels that the file has for them: the matrices of the middle layer that "
      "lost most and least.");
  for (const ComparedFile& file : report_.files) {
    page_.begin_details(name_of(file.file));
    for (const LevelUse& use : file.levels)
      page_.figure(level_chart(use, Screen::wide), level_chart(use, Screen::narrow),
                   use.scaled ? "Every weight less its group’s offset, over its group’s scale."
                              : "The first row of the matrix and the values that came back.");
    page_.end_details();
  }
}

void Writer::outliers() {
  page_.section("outliers", "Outliers before and after");
  page_.paragraph(
      "The largest number of a matrix over its root mean square, and the kurtosis (3 for a Gaussian), in the "
      "base and in each file. The matrices with the heaviest column of the base.");
  const std::vector<MatrixComparison>& first = report_.files.front().matrices;
  std::vector<const MatrixComparison*> order;
  for (const MatrixComparison& matrix : first) order.push_back(&matrix);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->before.max_over_rms > b->before.max_over_rms;
  });
  order.resize(std::min(order.size(), kOutlierRows));
  Table table;
  table.columns = {{"matrix", false, ""},
                   {"column", true, "the heaviest of the base"},
                   {"base: max / rms", true, ""},
                   {"kurtosis", true, ""}};
  for (const ComparedFile& file : report_.files)
    table.columns.push_back({name_of(file.file), true, "max / rms; kurtosis"});
  for (const MatrixComparison* matrix : order) {
    Table::Row row{{{printable(matrix->name)},
                    {fmt::format("{}", matrix->before.column)},
                    {fmt::format("{:.1f}", matrix->before.max_over_rms)},
                    {readable(matrix->before.kurtosis, 3)}},
                   false};
    for (const ComparedFile& file : report_.files) {
      const auto found = std::find_if(file.matrices.begin(), file.matrices.end(),
                                      [&](const auto& other) { return other.name == matrix->name; });
      row.cells.push_back({found == file.matrices.end() ? "–"
                                                        : fmt::format("{:.1f}; {}", found->after.max_over_rms,
                                                                      readable(found->after.kurtosis, 3))});
    }
    table.rows.push_back(std::move(row));
  }
  page_.table(table);
}

void Writer::types() {
  page_.section("types", "Types");
  Table table;
  table.columns = {{"file", false, ""},   {"type", false, ""}, {"tensors", true, ""},
                   {"weights", true, ""}, {"bytes", true, ""}, {"share of the weights", false, ""}};
  const auto add = [&](const FileSummary& file) {
    for (const auto& [type, share] : file.types) {
      const double part = static_cast<double>(share.n_weights) / static_cast<double>(file.n_weights);
      Cell bar{fmt::format("{:.1f} %", 100 * part)};
      bar.bar = part;
      table.rows.push_back({{{name_of(file)},
                             {type},
                             {fmt::format("{}", share.n_tensors)},
                             {fmt::format("{}", share.n_weights)},
                             {fmt::format("{}", share.n_bytes)},
                             std::move(bar)},
                            false});
    }
  };
  add(report_.base);
  for (const ComparedFile& file : report_.files) add(file.file);
  page_.table(table);
  for (const ComparedFile& file : report_.files) {
    page_.begin_details("Type of each tensor of " + name_of(file.file));
    Table each;
    each.scrolls = true;
    each.columns = {{"tensor", false, ""}, {"type", false, ""}, {"relative error", true, ""}};
    for (const MatrixComparison& matrix : file.matrices)
      each.rows.push_back(
          {{{printable(matrix.name)}, {matrix.type}, {fmt::format("{:.3e}", matrix.relative_error)}}, false});
    page_.table(each);
    page_.end_details();
  }
}

void Writer::making() {
  page_.section("making", "How they were made");
  Table table;
  table.columns = {{"file", false, ""}, {"command", false, ""}, {"SHA-256", false, ""}};
  const auto add = [&](const FileSummary& file, std::string_view unknown) {
    Cell command{file.command.empty() ? std::string(unknown) : printable(file.command, 400)};
    command.note = true;
    Cell sum{file.sha256.empty() ? "several files" : file.sha256};
    sum.note = true;
    table.rows.push_back({{{name_of(file)}, std::move(command), std::move(sum)}, false});
  };
  add(report_.base, "the base");
  for (const ComparedFile& file : report_.files) add(file.file, "unknown: the file does not say");
  page_.table(table);
  page_.paragraph(
      "Commands are put together from what the files’ metadata say; options that were not recorded are "
      "missing.");
}

}  // namespace

std::string comparison_page(const ComparisonReport& report, std::string_view version) {
  return Writer(report, version).html();
}

}  // namespace kerf::study

#include "kerf/study/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kerf/io/printable.h"
#include "kerf/report/histogram.h"

namespace kerf::study {
namespace {

using report::Axis;
using report::Plot;
using report::PlotFrame;
using report::Point;
using report::Shape;
using report::Stroke;
using report::Surface;
using report::Tone;

constexpr double kWide = 1100;
constexpr double kNarrow = 370;
constexpr double kFarthest = 12;  // dB from the bound; what is further off is left to the tables

bool in_chart(const Score& score) {
  return score.fits() && !score.exact() && score.bits <= kChartBits && std::isfinite(score.sqnr_db);
}

std::string tooltip_of(const StudyReport& report, const SourceScores& source, std::size_t i) {
  const Score& score = source.scores[i];
  std::string out =
      fmt::format("{}: {:.4f} bits, SQNR {:.2f} dB, {:.2f} dB below the {}", report.candidates()[i]->name(),
                  score.bits, score.sqnr_db, score.to_bound_db, source.is_model ? "mark" : "bound");
  if (score.n_fitting < source.n_matrices)
    out += fmt::format("; fits {} of {} matrices", score.n_fitting, source.n_matrices);
  return out;
}

/// The points of every family, `y` of each given by `height`. Formats that others of their family outdo are
/// faint dots, left out of narrow drawings; those that fit only some matrices are rings.
template <class Height>
void add_points(Plot& plot, const StudyReport& report, const SourceScores& source, Screen screen,
                Height&& height) {
  std::vector<std::vector<Point>> whole(kFamilies), partial(kFamilies), outdone(kFamilies);
  for (const std::size_t i : report.by_bits(source, Selection::all)) {
    const Score& score = source.scores[i];
    if (!in_chart(score)) continue;
    Point point{score.bits, height(score), tooltip_of(report, source, i), "", score.best};
    // A narrow screen has room for the names of the best.
    if (score.best || (screen == Screen::wide && score.leads)) point.label = report.candidates()[i]->name();
    auto& series = !score.leads ? outdone : score.n_fitting == source.n_matrices ? whole : partial;
    series[static_cast<std::size_t>(report.candidates()[i]->family())].push_back(std::move(point));
  }
  if (screen == Screen::wide)
    for (int family = 0; family < kFamilies; ++family)
      plot.points(std::move(outdone[static_cast<std::size_t>(family)]), tone_of(static_cast<Family>(family)),
                  Shape::dot, "");
  for (int family = 0; family < kFamilies; ++family) {
    std::vector<Point>& solid = whole[static_cast<std::size_t>(family)];
    std::vector<Point>& rings = partial[static_cast<std::size_t>(family)];
    const std::string name(name_of(static_cast<Family>(family)));
    const Tone tone = tone_of(static_cast<Family>(family));
    if (!rings.empty())
      plot.points(std::move(rings), tone, Shape::ring, solid.empty() ? name + ", where rows fit" : "");
    if (!solid.empty()) plot.points(std::move(solid), tone, static_cast<Shape>(family % 7), name);
  }
}

struct Range {
  double lo = std::numeric_limits<double>::infinity();
  double hi = -std::numeric_limits<double>::infinity();
  void add(double x) {
    lo = std::min(lo, x);
    hi = std::max(hi, x);
  }
};

Axis bits_axis(const SourceScores& source) {
  Range bits;
  for (const Score& score : source.scores)
    if (in_chart(score)) bits.add(score.bits);
  const double margin = std::max(0.3, 0.04 * (bits.hi - bits.lo));
  return Axis::linear("bits per weight", bits.lo - margin, bits.hi + margin);
}

std::string bound_label(const SourceScores& source) {
  if (source.is_model) return "Gaussian D(R), for comparison";
  return source.bound_is_exact ? "bound D(R) = 2⁻²ᴿ" : "Shannon’s lower bound";
}

/// The steps of the best: what is to be had for at most so many bits.
std::vector<Point> frontier(const StudyReport& report, const SourceScores& source) {
  std::vector<Point> out;
  for (const std::size_t i : report.by_bits(source, Selection::leading))
    if (const Score& score = source.scores[i]; in_chart(score) && score.best)
      out.push_back({score.bits, score.sqnr_db, "", "", false});
  return out;
}

/// «blk.3.attn_q.weight» → «attn_q»: what a matrix does, without its layer.
std::string kind_of(std::string_view tensor) {
  std::string out;
  while (!tensor.empty()) {
    const std::size_t dot = std::min(tensor.find('.'), tensor.size());
    const std::string_view part = tensor.substr(0, dot);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    if (!number && part != "blk" && part != "weight" && part != "model" && part != "layers")
      out += (out.empty() ? "" : ".") + std::string(part);
    tensor.remove_prefix(std::min(dot + 1, tensor.size()));
  }
  return out;
}

}  // namespace

report::PlotFrame frame_of(Screen screen, std::string title, double wide_height) {
  PlotFrame out;
  out.title = std::move(title);
  out.width = screen == Screen::wide ? kWide : kNarrow;
  out.height = screen == Screen::wide ? wide_height : 400;
  return out;
}

Tone tone_of(Family family) noexcept {
  return report::series_tone(static_cast<int>(family));
}

std::string sqnr_chart(const StudyReport& report, const SourceScores& source, Screen screen) {
  PlotFrame frame = frame_of(screen, "Bits against SQNR", 520);
  frame.x = bits_axis(source);
  Range sqnr;
  for (const Score& score : source.scores)
    if (in_chart(score) && score.leads) sqnr.add(score.sqnr_db);
  const auto bound = [&](double bits) { return source.bound_at_0 + gaussian_bound_db(bits); };
  frame.y = Axis::linear("SQNR, dB", std::min(0.0, sqnr.lo), std::max(sqnr.hi, bound(frame.x.hi())) + 1);
  const Axis x = frame.x;
  Plot plot(std::move(frame));
  std::vector<Point> line;
  constexpr int kPieces = 40;  // short ones, which labels can keep clear of
  for (int i = 0; i <= kPieces; ++i) {
    const double bits = x.lo() + (x.hi() - x.lo()) * i / kPieces;
    line.push_back({bits, bound(bits), "", "", false});
  }
  plot.line(std::move(line), Tone::ink, bound_label(source), Stroke::dashed);
  plot.line(frontier(report, source), Tone::muted, "best of each half bit", Stroke::dotted);
  add_points(plot, report, source, screen, [](const Score& score) { return score.sqnr_db; });
  return plot.svg(Surface::page);
}

std::string distance_chart(const StudyReport& report, const SourceScores& source, Screen screen) {
  PlotFrame frame =
      frame_of(screen, source.is_model ? "Below the Gaussian D(R)" : "Distance to the bound", 420);
  frame.x = bits_axis(source);
  Range distance;
  for (const Score& score : source.scores)
    if (in_chart(score) && score.leads) distance.add(score.to_bound_db);
  frame.y =
      Axis::linear("dB, lower is better", std::min(0.0, distance.lo), std::min(distance.hi + 0.5, kFarthest));
  Plot plot(std::move(frame));
  add_points(plot, report, source, screen, [](const Score& score) { return score.to_bound_db; });
  return plot.svg(Surface::page);
}

std::string level_chart(const LevelUse& use, Screen screen) {
  report::HistogramFigure figure;
  figure.title = screen == Screen::wide
                     ? fmt::format("{} under the levels of {}", printable(use.tensor), use.candidate)
                     : fmt::format("Levels of {}", use.candidate);
  figure.value_label = use.scaled ? "number less its group’s offset, over its group’s scale" : "value";
  figure.values = use.values;
  for (std::size_t i = 0; i < use.levels.size(); ++i)
    figure.levels.push_back({use.levels[i].value, fmt::format("{} numbers ({:.1f} %) at", use.levels[i].n,
                                                              100.0 * static_cast<double>(use.levels[i].n) /
                                                                  static_cast<double>(use.values.size()))});
  figure.width = screen == Screen::wide ? kWide : kNarrow;
  figure.height = screen == Screen::wide ? 400 : 330;
  return histogram_with_levels(figure, Surface::page);
}

std::string kurtosis_chart(const ModelStudy& model, Screen screen) {
  PlotFrame frame = frame_of(screen, "Tails of each matrix", 380);
  Range kurtosis;
  std::vector<std::string> kinds;
  std::map<std::string, std::vector<Point>> points;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    const TensorSummary& summary = model.tensors[i].summary;
    if (!(summary.kurtosis > 0)) continue;
    kurtosis.add(summary.kurtosis);
    const std::string kind = kind_of(summary.name);
    if (points.find(kind) == points.end()) kinds.push_back(kind);
    points[kind].push_back(
        {static_cast<double>(i), summary.kurtosis,
         fmt::format("{}: kurtosis {}", printable(summary.name), report::readable(summary.kurtosis, 3)), "",
         false});
  }
  frame.x = Axis::linear("matrix, in the order of the file", -1, static_cast<double>(model.tensors.size()));
  frame.y =
      Axis::logarithmic("kurtosis, 3 for a Gaussian", std::min(2.5, 0.9 * kurtosis.lo), 1.15 * kurtosis.hi);
  Plot plot(std::move(frame));
  plot.line({{-1e6, 3, "", "", false}, {1e6, 3, "", "", false}}, Tone::muted, "Gaussian", Stroke::dashed);
  // Beyond the colours that can be told apart the rest shares one.
  constexpr std::size_t kKinds = report::kSeriesColours;
  std::vector<Point> rest;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    std::vector<Point>& own = points[kinds[i]];
    if (i < kKinds)
      plot.points(std::move(own), report::series_tone(static_cast<int>(i)),
                  static_cast<Shape>(i % report::kShapes), printable(kinds[i]));
    else
      rest.insert(rest.end(), own.begin(), own.end());
  }
  if (!rest.empty()) plot.points(std::move(rest), Tone::muted, Shape::circle, "others");
  return plot.svg(Surface::page);
}

}  // namespace kerf::study

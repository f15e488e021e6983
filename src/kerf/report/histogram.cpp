#include "kerf/report/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kerf::report {
namespace {

constexpr int kFewestBins = 12;
constexpr int kMostBins = 160;
constexpr std::size_t kMostLines = 40;  // more levels than this hide the bars

std::vector<float> finite_sorted(std::span<const float> values) {
  std::vector<float> out;
  std::copy_if(values.begin(), values.end(), std::back_inserter(out),
               [](float x) { return std::isfinite(x); });
  std::sort(out.begin(), out.end());
  return out;
}

int bins_wanted(const std::vector<float>& sorted) {
  const double range = static_cast<double>(sorted.back()) - sorted.front();
  const double quartiles = static_cast<double>(sorted[sorted.size() * 3 / 4]) - sorted[sorted.size() / 4];
  const double width = 2 * quartiles / std::cbrt(static_cast<double>(sorted.size()));
  return width > 0 ? static_cast<int>(std::clamp<double>(range / width, kFewestBins, kMostBins))
                   : kFewestBins;
}

std::string percent(std::uint64_t part, std::size_t whole) {
  return readable(100.0 * static_cast<double>(part) / static_cast<double>(whole), 3) + " %";
}

struct Clip {
  double lo, hi;
};

Clip clip_of(const HistogramFigure& figure, const std::vector<GridLevel>& levels) {
  Clip clip{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  if (const std::size_t n = levels.size(); n >= 2) {
    clip.lo = levels[0].value - (levels[1].value - levels[0].value) / 2;
    clip.hi = levels[n - 1].value + (levels[n - 1].value - levels[n - 2].value) / 2;
  }
  return {figure.clip_lo.value_or(clip.lo), figure.clip_hi.value_or(clip.hi)};
}

class LevelHistogram {
 public:
  explicit LevelHistogram(const HistogramFigure& figure)
      : figure_(figure), histogram_(histogram_of(figure.values)), levels_(figure.levels) {
    std::sort(levels_.begin(), levels_.end(),
              [](const GridLevel& a, const GridLevel& b) { return a.value < b.value; });
    std::erase_if(levels_, [](const GridLevel& level) { return !std::isfinite(level.value); });
    clip_ = clip_of(figure, levels_);
    for (const float x : figure.values) {
      if (!std::isfinite(x)) continue;
      ++n_values_;
      n_clipped_ += x < clip_.lo || x > clip_.hi;
    }
  }

  std::string svg(Surface surface) const {
    Plot plot(frame());
    add_clipped(plot);
    add_bars(plot);
    add_levels(plot);
    return plot.svg(surface);
  }

 private:
  PlotFrame frame() const;
  void add_bars(Plot& plot) const;
  void add_levels(Plot& plot) const;
  void add_clipped(Plot& plot) const;
  bool clips() const { return n_clipped_ > 0; }

  const HistogramFigure& figure_;
  Histogram histogram_;
  std::vector<GridLevel> levels_;
  Clip clip_{};
  std::size_t n_values_ = 0;
  std::uint64_t n_clipped_ = 0;
};

PlotFrame LevelHistogram::frame() const {
  double lo = histogram_.lo;
  double hi = histogram_.from(histogram_.counts.size());
  for (const GridLevel& level : levels_) {
    lo = std::min(lo, level.value);
    hi = std::max(hi, level.value);
  }
  const double margin = 0.02 * (hi - lo);
  const auto most =
      histogram_.counts.empty()
          ? 1.0
          : static_cast<double>(*std::max_element(histogram_.counts.begin(), histogram_.counts.end()));
  PlotFrame out;
  out.title = figure_.title;
  out.description =
      fmt::format("{}: histogram of {} numbers with {} levels", figure_.title, n_values_, levels_.size());
  out.x = Axis::linear(figure_.value_label, lo - margin, hi + margin);
  out.y = figure_.logarithmic ? Axis::logarithmic("count", 0.7, most * 1.4)
                              : Axis::linear("count", 0, most * 1.05);
  out.width = figure_.width;
  out.height = figure_.height;
  return out;
}

void LevelHistogram::add_bars(Plot& plot) const {
  std::vector<Bar> kept, cut;
  for (std::size_t i = 0; i < histogram_.counts.size(); ++i) {
    if (histogram_.counts[i] == 0) continue;
    const double from = histogram_.from(i), to = histogram_.from(i + 1);
    const bool beyond = to <= clip_.lo || from >= clip_.hi;
    (beyond ? cut : kept)
        .push_back({from, to, static_cast<double>(histogram_.counts[i]),
                    fmt::format("{} … {}: {} ({})", readable(from), readable(to), histogram_.counts[i],
                                percent(histogram_.counts[i], n_values_))});
  }
  plot.bars(std::move(kept), Tone::muted, fmt::format("{} values", n_values_));
  if (clips())
    plot.bars(std::move(cut), Tone::warning,
              fmt::format("clipped: {} ({})", n_clipped_, percent(n_clipped_, n_values_)));
}

void LevelHistogram::add_levels(Plot& plot) const {
  if (levels_.empty()) return;
  const Tone tone = series_tone(1);
  for (const GridLevel& level : levels_) {
    std::string tooltip =
        level.name.empty() ? readable(level.value) : level.name + ": " + readable(level.value);
    if (levels_.size() <= kMostLines)
      plot.level(level.value, tone, std::move(tooltip));
    else
      plot.rug(level.value, tone, std::move(tooltip));
  }
  plot.legend_entry(fmt::format("{} levels", levels_.size()), tone, Stroke::solid);
}

void LevelHistogram::add_clipped(Plot& plot) const {
  if (!clips()) return;
  const double beyond = std::fabs(histogram_.lo) + std::fabs(histogram_.from(histogram_.counts.size())) + 1;
  if (std::isfinite(clip_.lo)) plot.band(clip_.lo - 4 * beyond, clip_.lo, Tone::warning, "clipped");
  if (std::isfinite(clip_.hi)) plot.band(clip_.hi, clip_.hi + 4 * beyond, Tone::warning, "clipped");
}

}  // namespace

Histogram histogram_of(std::span<const float> values, int n_bins) {
  const std::vector<float> sorted = finite_sorted(values);
  Histogram out;
  if (sorted.empty()) return out;
  if (n_bins <= 0) n_bins = bins_wanted(sorted);
  const double range = static_cast<double>(sorted.back()) - sorted.front();
  out.lo = range > 0 ? sorted.front() : sorted.front() - 0.5 * (std::fabs(sorted.front()) + 1);
  out.width = (range > 0 ? range : std::fabs(sorted.front()) + 1) / n_bins;
  out.counts.assign(static_cast<std::size_t>(n_bins), 0);
  for (const float x : sorted) {
    const auto bin = static_cast<std::size_t>((x - out.lo) / out.width);
    ++out.counts[std::min(bin, out.counts.size() - 1)];  // the largest value closes the last bin
  }
  return out;
}

std::string histogram_with_levels(const HistogramFigure& figure, Surface surface) {
  return LevelHistogram(figure).svg(surface);
}

}  // namespace kerf::report

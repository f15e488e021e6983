// The number line: what lies where, in one or a few lines of text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/cli/map_report.h"

namespace kerf::cli {
namespace {

constexpr std::size_t kMostMarks = 64;     // more numbers than that become a histogram
constexpr std::size_t kMostNumbered = 16;  // levels whose codes are written below
constexpr std::size_t kHistogramRows = 5;

/// The line without blanks at its end.
std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

class NumberLine {
 public:
  NumberLine(const MapReport& report, std::size_t columns)
      : group_(report.mapped.groups[0]),
        x_(std::span(report.source->x).first(report.mapped.group_size)),
        columns_(columns) {
    for (std::size_t c = 0; c < group_.levels->size(); ++c)
      levels_.push_back(group_.value_of(static_cast<std::uint8_t>(c)));
    const auto [low, high] = std::minmax_element(x_.begin(), x_.end());
    const auto [first, last] = std::minmax_element(levels_.begin(), levels_.end());
    low_ = std::min(*low, *first);
    high_ = std::max(*high, *last);
    if (!(high_ > low_)) high_ = low_ + 1;
  }

  std::string text() const {
    std::string out = x_.size() <= kMostMarks ? marks() : histogram();
    out += axis() + '\n';
    if (levels_.size() <= kMostNumbered) out += codes();
    return out + ends();
  }

 private:
  [[nodiscard]] std::size_t column_of(double v) const {
    const double place = (v - low_) / (high_ - low_) * static_cast<double>(columns_ - 1);
    return std::min(columns_ - 1, static_cast<std::size_t>(std::max(0.0, std::nearbyint(place))));
  }

  [[nodiscard]] std::vector<std::size_t> counts(std::span<const double> values) const {
    std::vector<std::size_t> out(columns_, 0);
    for (const double v : values) ++out[column_of(v)];
    return out;
  }

  /// A mark for a number, a digit where several share a column.
  std::string marks() const {
    std::string out = "  ";
    for (const std::size_t n : counts(x_))
      out += n == 0 ? " " : n == 1 ? "▾" : n < 10 ? fmt::format("{}", n) : "#";
    return trimmed(std::move(out));
  }

  std::string histogram() const {
    static constexpr std::string_view kEighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const auto n = counts(x_);
    const auto most = static_cast<double>(*std::max_element(n.begin(), n.end()));
    std::string out;
    for (std::size_t row = kHistogramRows; row-- > 0;) {
      std::string line = "  ";
      for (const std::size_t count : n) {
        const double eighths = static_cast<double>(count) / most * 8 * kHistogramRows;
        // Rounded up: even a single number in a column shows.
        const double here = std::ceil(eighths) - 8.0 * static_cast<double>(row);
        line += kEighths[static_cast<std::size_t>(std::clamp(here, 0.0, 8.0))];
      }
      out += trimmed(std::move(line));
    }
    return out;
  }

  /// Levels as ticks; dotted where numbers are beyond them.
  std::string axis() const {
    const auto n = counts(levels_);
    const auto [first, last] = std::minmax_element(levels_.begin(), levels_.end());
    std::string out = "  ";
    for (std::size_t c = 0; c < columns_; ++c)
      out += n[c] > 1 ? "╪" : n[c] == 1 ? "┼" : c < column_of(*first) || c > column_of(*last) ? "┄" : "─";
    return out;
  }

  /// The number of each code below its level, where there is room.
  std::string codes() const {
    std::string out(columns_ + 8, ' ');
    std::size_t free = 0;
    std::vector<std::pair<std::size_t, int>> places;
    for (std::size_t c = 0; c < levels_.size(); ++c)
      places.emplace_back(column_of(levels_[c]), group_.number_of(static_cast<std::uint8_t>(c)));
    std::sort(places.begin(), places.end());
    for (const auto& [column, number] : places) {
      const std::string text = std::to_string(number);
      const std::size_t at = std::max(column, text.size() / 2) - text.size() / 2;
      if (at < free) continue;
      out.replace(at, text.size(), text);
      free = at + text.size() + 1;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return "  " + out + "  code\n";
  }

  std::string ends() const {
    const std::string left = fmt::format("{:.4g}", low_);
    const std::string right = fmt::format("{:.4g}", high_);
    std::string out(columns_, ' ');
    out.replace(0, left.size(), left);
    out.replace(columns_ - right.size(), right.size(), right);
    const std::size_t zero = column_of(0.0);
    if (low_ < 0 && high_ > 0 && zero > left.size() + 1 && zero + 2 < columns_ - right.size())
      out[zero] = '0';
    return "  " + out + '\n';
  }

  const MappedGroup& group_;
  std::span<const double> x_;
  std::size_t columns_;
  std::vector<double> levels_;
  double low_, high_;
};

}  // namespace

std::string number_line(const MapReport& report, std::size_t columns) {
  return NumberLine(report, std::clamp<std::size_t>(columns, 40, 160)).text();
}

}  // namespace kerf::cli

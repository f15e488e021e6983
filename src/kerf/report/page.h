// One self-contained HTML page: headings, texts, figures, tables. No scripts; nothing is fetched from
// anywhere. Knows nothing of models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kerf/report/svg.h"

namespace kerf::report {

/// A cell of a table. Everything is escaped when the page is written.
struct Cell {
  std::string text;
  Tone dot = Tone::ink;  ///< with has_dot: a spot of this colour before the text
  bool has_dot = false;
  bool strong = false;
  bool note = false;  ///< a longer text in small type that may wrap
  double bar = -1;    ///< 0 … 1: a bar of this share of the cell's width after the text
  double heat = -1;   ///< 0 … 1: the cell is tinted, the more the higher
};

struct Column {
  std::string heading;
  bool number = true;   ///< right-aligned
  std::string tooltip;  ///< explains the heading; may be empty
};

struct Table {
  struct Row {
    std::vector<Cell> cells;
    bool marked = false;  ///< stands out
  };
  std::vector<Column> columns;
  std::vector<Row> rows;
  bool scrolls = false;  ///< long: scrolls within the page under its heading
};

/// A headline figure.
struct Card {
  std::string label, value, note;
};

/// Written from top to bottom.
class Page {
 public:
  Page(std::string_view title, std::string_view subtitle);

  /// A heading that the navigation at the top leads to by `id`.
  Page& section(std::string_view id, std::string_view title);
  Page& subheading(std::string_view title);
  Page& paragraph(std::string_view text);
  Page& cards(const std::vector<Card>& cards);
  /// One drawing in two widths, of which the reader's screen shows one.
  Page& figure(std::string_view wide_svg, std::string_view narrow_svg, std::string_view caption);
  Page& table(const Table& table);
  /// Everything until end_details() is folded under `summary`.
  Page& begin_details(std::string_view summary);
  Page& end_details();

  [[nodiscard]] std::string html() const;

 private:
  struct Link {
    std::string id, title;
  };
  std::string title_, subtitle_;
  std::vector<Link> links_;
  std::string body_;
};

}  // namespace kerf::report

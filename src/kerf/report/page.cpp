#include "kerf/report/page.h"

#include <fmt/format.h>

#include <algorithm>

namespace kerf::report {
namespace {

constexpr std::string_view kPageStyle = R"css(
.kerf{--page:#f4f6f9;--card:#fff;--mark:#eef4fb;--shade:0,88,176}
@media(prefers-color-scheme:dark){.kerf{--page:#0d1117;--card:#14181f;--mark:#1a2432;--shade:110,170,245}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
main,header>div{max-width:1180px;margin:0 auto;padding:0 20px}
header{background:var(--card);border-bottom:1px solid var(--grid);padding:28px 0 14px;margin-bottom:8px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:21px;line-height:1.3;margin:44px 0 10px;letter-spacing:-.005em}
h3{font-size:16px;margin:28px 0 8px}
p{margin:8px 0;max-width:76ch}
.sub{color:var(--muted);margin:0;max-width:none;overflow-wrap:anywhere}
nav{margin-top:14px;display:flex;flex-wrap:wrap;gap:6px}
nav a{color:var(--ink);text-decoration:none;border:1px solid var(--grid);border-radius:99px;padding:3px 12px;
font-size:13px}
nav a:hover{border-color:var(--muted)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:16px 0}
.card{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:12px 16px}
.card .label,.card .note{color:var(--muted);font-size:13px}
.card .value{font-size:22px;font-weight:600;line-height:1.35;letter-spacing:-.01em}
figure{margin:16px 0;background:var(--paper);border:1px solid var(--grid);border-radius:10px;padding:12px 10px 4px}
figure svg.kerf{display:block;width:100%;height:auto}
figure .narrow{display:none}
figcaption{color:var(--muted);font-size:13px;padding:2px 6px 10px;max-width:96ch}
.table{overflow-x:auto;background:var(--card);border:1px solid var(--grid);border-radius:10px;margin:16px 0}
.table.scrolls{max-height:520px;overflow-y:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:5px 12px;text-align:left;white-space:nowrap}
th{font-weight:600;color:var(--muted);background:var(--card);position:sticky;top:0;padding:9px 12px;
box-shadow:inset 0 -1px var(--grid)}
tbody tr+tr td{border-top:1px solid var(--grid)}
tr.marked td{background:var(--mark)}
td:first-child,th:first-child{position:sticky;left:0;background:var(--card)}
tr.marked td:first-child{background:var(--mark)}
th:first-child{z-index:1}
.num{text-align:right}td.note{white-space:normal;min-width:210px;color:var(--muted);font-size:13px;line-height:1.35}.strong{font-weight:600}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;background:currentColor;margin-right:8px}
.bar{display:flex;align-items:center;gap:10px;min-width:180px}.bar b{font-weight:400;min-width:3.2em;text-align:right}
.bar i{flex:1;height:9px}.bar i span{display:block;height:100%;border-radius:2px;background:var(--s0)}
details{margin:16px 0}
summary{cursor:pointer;font-weight:600;padding:10px 16px;background:var(--card);border:1px solid var(--grid);
border-radius:10px}
footer{color:var(--muted);font-size:13px;margin:48px 0 32px}
@media(max-width:640px){figure .wide{display:none}figure .narrow{display:block}main,header>div{padding:0 14px}
h1{font-size:24px}th,td{padding-left:10px;padding-right:10px}figure{padding:8px 2px 2px;margin-left:-6px;
margin-right:-6px}}
)css";

std::string cell_element(const Cell& cell, const Column& column) {
  std::string classes = column.number ? "num" : "";
  if (cell.strong) classes += " strong";
  if (cell.note) classes += " note";
  std::string out = "<td";
  if (!classes.empty()) out += " class=\"" + classes + "\"";
  if (cell.heat >= 0)
    out += fmt::format(" style=\"background:rgba(var(--shade),{})\"",
                       coordinate(0.5 * std::min(cell.heat, 1.0)));
  out += ">";
  if (cell.has_dot) out += fmt::format("<span class=\"dot {}\"></span>", class_of(cell.dot));
  if (cell.bar >= 0)
    out += fmt::format("<div class=\"bar\"><b>{}</b><i><span style=\"width:{}%\"></span></i></div>",
                       escape(cell.text), coordinate(100 * std::min(cell.bar, 1.0)));
  else
    out += escape(cell.text);
  return out + "</td>";
}

std::string head_element(const Column& column) {
  return fmt::format("<th{}{}>{}</th>", column.number ? " class=\"num\"" : "",
                     column.tooltip.empty() ? "" : " title=\"" + escape(column.tooltip) + "\"",
                     escape(column.heading));
}

}  // namespace

Page::Page(std::string_view title, std::string_view subtitle) : title_(title), subtitle_(subtitle) {}

Page& Page::section(std::string_view id, std::string_view title) {
  links_.push_back({std::string(id), std::string(title)});
  body_ += fmt::format("<h2 id=\"{}\">{}</h2>\n", escape(id), escape(title));
  return *this;
}

Page& Page::subheading(std::string_view title) {
  body_ += fmt::format("<h3>{}</h3>\n", escape(title));
  return *this;
}

Page& Page::paragraph(std::string_view text) {
  body_ += fmt::format("<p>{}</p>\n", escape(text));
  return *this;
}

Page& Page::cards(const std::vector<Card>& cards) {
  body_ += "<div class=\"cards\">\n";
  for (const Card& card : cards)
    body_ += fmt::format(
        "<div class=\"card\"><div class=\"label\">{}</div><div class=\"value\">{}</div><div "
        "class=\"note\">{}</div>"
        "</div>\n",
        escape(card.label), escape(card.value), escape(card.note));
  body_ += "</div>\n";
  return *this;
}

Page& Page::figure(std::string_view wide_svg, std::string_view narrow_svg, std::string_view caption) {
  body_ += fmt::format(
      "<figure><div class=\"wide\">{}</div><div "
      "class=\"narrow\">{}</div><figcaption>{}</figcaption></figure>\n",
      wide_svg, narrow_svg, escape(caption));
  return *this;
}

Page& Page::table(const Table& table) {
  body_ += table.scrolls ? "<div class=\"table scrolls\">" : "<div class=\"table\">";
  body_ += "<table>\n<thead><tr>";
  for (const Column& column : table.columns) body_ += head_element(column);
  body_ += "</tr></thead>\n<tbody>\n";
  for (const Table::Row& row : table.rows) {
    body_ += row.marked ? "<tr class=\"marked\">" : "<tr>";
    for (std::size_t i = 0; i < std::min(row.cells.size(), table.columns.size()); ++i)
      body_ += cell_element(row.cells[i], table.columns[i]);
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  return *this;
}

Page& Page::begin_details(std::string_view summary) {
  body_ += fmt::format("<details><summary>{}</summary>\n", escape(summary));
  return *this;
}

Page& Page::end_details() {
  body_ += "</details>\n";
  return *this;
}

std::string Page::html() const {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light "
      "dark\"/>\n<title>{0}</title>\n<style>\n{1}{2}</style>\n</head>\n"
      "<body class=\"kerf\">\n<header><div><h1>{0}</h1><p class=\"sub\">{3}</p>\n",
      escape(title_), style_sheet(), kPageStyle, escape(subtitle_));
  if (links_.size() > 1) {
    out += "<nav>";
    for (const Link& link : links_)
      out += fmt::format("<a href=\"#{}\">{}</a>", escape(link.id), escape(link.title));
    out += "</nav>\n";
  }
  return out + "</div></header>\n<main>\n" + body_ + "</main>\n</body>\n</html>\n";
}

}  // namespace kerf::report

#include "kerf/study/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kerf/io/printable.h"
#include "kerf/report/page.h"
#include "kerf/study/charts.h"
#include "kerf/study/text.h"

namespace kerf::study {
namespace {

using report::Cell;
using report::Page;
using report::readable;
using report::Table;

/// Budgets in bits per weight that people choose among.
constexpr std::array<double, 4> kBudgets = {2.5, 3.5, 4.5, 6.6};

std::string decibels_text(const Score& score) {
  return score.exact()                  ? "exact"
         : std::isfinite(score.sqnr_db) ? fmt::format("{:.2f}", score.sqnr_db)
                                        : "overflow";
}

std::string distance_text(const Score& score) {
  return score.exact() || !std::isfinite(score.to_bound_db) ? "–" : fmt::format("{:.2f}", score.to_bound_db);
}

Cell name_cell(const Candidate& candidate, bool strong) {
  Cell cell{std::string(candidate.name())};
  cell.dot = tone_of(candidate.family());
  cell.has_dot = true;
  cell.strong = strong;
  return cell;
}

/// The best that fits everywhere within a budget of bits; the number of candidates if nothing does.
std::size_t best_within(const SourceScores& source, double bits) {
  std::size_t best = source.scores.size();
  for (std::size_t i = 0; i < source.scores.size(); ++i) {
    const Score& score = source.scores[i];
    if (score.n_fitting < source.n_matrices || score.exact() || score.bits > bits + kHeaderBits) continue;
    if (best == source.scores.size() || score.sqnr_db > source.scores[best].sqnr_db) best = i;
  }
  return best;
}

/// The same for one matrix.
std::size_t best_within(const TensorStudy& tensor, double bits) {
  std::size_t best = tensor.losses.size();
  for (std::size_t i = 0; i < tensor.losses.size(); ++i) {
    const Loss& loss = tensor.losses[i];
    if (!loss.fits() || loss.bits_per_weight() > bits + kHeaderBits) continue;
    if (best == tensor.losses.size() || loss.relative_error() < tensor.losses[best].relative_error())
      best = i;
  }
  return best;
}

/// 4810752 → «4 810 752», with narrow no-break spaces.
std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, "\u202f");
  return digits;
}

class Writer {
 public:
  Writer(const StudyReport& report, std::string_view version)
      : report_(report), page_(title(report), subtitle(report, version)) {}

  std::string html() && {
    headline();
    if (report_.model) model();
    if (report_.levels) levels();
    distributions();
    notes();
    return page_.html();
  }

 private:
  static std::string title(const StudyReport& report) {
    return report.model ? "Study of " + printable(report.sources.front().title) : "Study of number formats";
  }
  static std::string subtitle(const StudyReport& report, std::string_view version) {
    std::string out = fmt::format("kerf {}: {} formats", version, report.candidates().size());
    if (report.model)
      out += fmt::format(" on {} matrices, {} numbers of them", report.sources[0].n_matrices,
                         grouped(report.sources[0].n_numbers));
    const auto n_samples = report.options.distributions.size();
    if (n_samples > 0)
      out +=
          fmt::format("{} on {} distribution{} of {} numbers", report.model ? " and" : "", n_samples,
                      n_samples == 1 ? "" : "s", grouped(report.options.n_rows * report.options.row_length));
    return out + fmt::format("; seed {}", report.options.seed);
  }

  void headline();
  void model();
  void heaviest_columns();
  void tensors();
  void levels();
  void distributions();
  void comparison(const std::vector<const SourceScores*>& sources);
  void charts_and_table(const SourceScores& source);
  void score_tables(const SourceScores& source);
  void score_table(const SourceScores& source, Selection selection);
  void notes();

  const StudyReport& report_;
  Page page_;
};

void Writer::headline() {
  const SourceScores& source = report_.sources.front();
  std::vector<report::Card> cards;
  for (const double budget : kBudgets) {
    const std::size_t i = best_within(source, budget);
    if (i == source.scores.size()) continue;
    cards.push_back(
        {fmt::format("best up to {} bits", readable(budget)), std::string(report_.candidates()[i]->name()),
         fmt::format("{:.2f} dB at {:.4g} bits", source.scores[i].sqnr_db, source.scores[i].bits)});
  }
  if (!cards.empty()) page_.cards(cards);
}

void Writer::model() {
  const SourceScores& source = report_.sources.front();
  page_.section("model", "The model");
  page_.paragraph(fmt::format(
      "Each format rounds the same {} numbers: {} of each of the {} matrices. The relative error of a matrix "
      "is "
      "‖W − Ŵ‖² / ‖W‖²; the figures are its mean over the matrices, as SQNR = −10 log₁₀ of it.",
      grouped(source.n_numbers),
      report_.options.model_rows == 0 ? "all rows" : fmt::format("{} rows", report_.options.model_rows),
      source.n_matrices));
  charts_and_table(source);
  heaviest_columns();
  tensors();
}

void Writer::heaviest_columns() {
  const ModelStudy& model = *report_.model;
  if (model.heaviest.empty()) return;
  page_.section("outliers", "The heaviest channels");
  page_.paragraph(
      "The columns of the matrices (input channels) with the largest number, over the root mean square of "
      "their "
      "matrix. One such number sets the scale of all that share a group with it.");
  Table table;
  table.columns = {{"matrix", false, ""},
                   {"column", true, ""},
                   {"max |x| / rms", false, "largest number of the column over the rms of the matrix"},
                   {"rms of the column / rms", true, "1 if only single numbers of the column are large"}};
  for (const HeavyColumn& column : model.heaviest) {
    Cell bar{fmt::format("{:.1f}", column.max_over_rms)};
    bar.bar = column.max_over_rms / model.heaviest.front().max_over_rms;
    table.rows.push_back({{{printable(column.tensor)},
                           {fmt::format("{}", column.column)},
                           std::move(bar),
                           {fmt::format("{:.2f}", column.rms_over_rms)}},
                          false});
  }
  page_.table(table);
}

void Writer::tensors() {
  const ModelStudy& model = *report_.model;
  page_.section("matrices", "Matrix by matrix");
  page_.figure(
      kurtosis_chart(model, Screen::wide), kurtosis_chart(model, Screen::narrow),
      "Heavy tails cost bits: a format that spends its levels evenly wastes them between the bulk and the "
      "outliers.");
  Table table;
  table.scrolls = model.tensors.size() > 16;
  table.columns = {{"matrix", false, ""},
                   {"shape", true, ""},
                   {"kurtosis", true, "fourth moment over the squared variance, 3 for a Gaussian"},
                   {"max / rms", true, ""},
                   {"beyond 6 rms", true, "numbers larger than six times the rms"}};
  for (const double budget : kBudgets)
    table.columns.push_back({fmt::format("≤ {} bits", readable(budget)), false,
                             "the best within this budget, and its SQNR in dB"});
  for (const TensorStudy& tensor : model.tensors) {
    const TensorSummary& summary = tensor.summary;
    Table::Row row{{{printable(summary.name)},
                    {fmt::format("{} × {}", summary.n_rows, summary.row_length)},
                    {readable(summary.kurtosis, 3)},
                    {fmt::format("{:.1f}", summary.max_over_rms)},
                    {fmt::format("{}", summary.n_outliers)}},
                   false};
    for (const double budget : kBudgets) {
      const std::size_t i = best_within(tensor, budget);
      row.cells.push_back({i == tensor.losses.size()
                               ? "–"
                               : fmt::format("{} {:.2f}", report_.candidates()[i]->name(),
                                             decibels(tensor.losses[i].relative_error()))});
    }
    table.rows.push_back(std::move(row));
  }
  page_.table(table);
}

void Writer::levels() {
  const LevelUse& use = *report_.levels;
  page_.section("levels", "Numbers and levels");
  page_.figure(
      level_chart(use, Screen::wide), level_chart(use, Screen::narrow),
      use.scaled
          ? fmt::format("{}: rounding moves every number to the nearest line. Groups have scales of their "
                        "own; over them, all share one set of levels.",
                        printable(use.tensor))
          : fmt::format("The first row of {} and the values that came back.", printable(use.tensor)));
}

void Writer::distributions() {
  std::vector<const SourceScores*> sources;
  for (const SourceScores& source : report_.sources)
    if (!source.is_model) sources.push_back(&source);
  if (sources.empty()) return;
  page_.section("distributions", "Known distributions");
  page_.paragraph(
      "Independent numbers of variance 1, rounded by every format. No code of R bits per number has a "
      "smaller squared "
      "error than D(R): 2^(−2R) for the Gaussian; for the others Shannon’s lower bound from the differential "
      "entropy "
      "is drawn, which the true D(R) approaches from above as R grows.");
  if (sources.size() > 1) comparison(sources);
  for (const SourceScores* source : sources) {
    if (sources.size() > 1) page_.begin_details(source->title);
    charts_and_table(*source);
    if (sources.size() > 1) page_.end_details();
  }
}

void Writer::comparison(const std::vector<const SourceScores*>& sources) {
  page_.subheading("Distance to the bound in dB");
  Table table;
  table.columns = {{"format", false, ""}, {"bits", true, "per number"}};
  double farthest = 1;
  for (const SourceScores* source : sources) {
    table.columns.push_back({source->title, true, ""});
    for (const Score& score : source->scores)
      if (score.fits() && score.bits <= kChartBits && std::isfinite(score.to_bound_db))
        farthest = std::max(farthest, score.to_bound_db);
  }
  for (const std::size_t i : report_.by_bits(*sources.front(), Selection::leading)) {
    const Score& first = sources.front()->scores[i];
    if (first.bits > kChartBits) continue;
    Table::Row row{{name_cell(*report_.candidates()[i], false), {fmt::format("{:.4f}", first.bits)}}, false};
    for (const SourceScores* source : sources) {
      Cell cell{distance_text(source->scores[i])};
      cell.heat = std::isfinite(source->scores[i].to_bound_db) ? source->scores[i].to_bound_db / farthest : 1;
      cell.strong = source->scores[i].best;
      row.cells.push_back(std::move(cell));
    }
    table.rows.push_back(std::move(row));
  }
  page_.table(table);
}

void Writer::charts_and_table(const SourceScores& source) {
  page_.figure(
      sqnr_chart(report_, source, Screen::wide), sqnr_chart(report_, source, Screen::narrow),
      fmt::format(
          "A point per format; rest on it for its figures. Formats above {} bits are in the table only.{}",
          readable(kChartBits),
          source.is_model ? " Rings: formats that fit the rows of some matrices only." : ""));
  page_.figure(distance_chart(report_, source, Screen::wide), distance_chart(report_, source, Screen::narrow),
               source.is_model
                   ? "The Gaussian D(R) of the same variance is no bound for weights, only a common mark: "
                     "structure within rows lets a format come closer, heavy tails keep it away."
                   : "What is left to gain at the same number of bits.");
  score_tables(source);
}

void Writer::score_tables(const SourceScores& source) {
  score_table(source, Selection::leading);
  const std::size_t n_all = report_.by_bits(source, Selection::all).size();
  if (n_all == report_.by_bits(source, Selection::leading).size()) return;
  page_.begin_details(fmt::format("All {} formats", n_all));
  score_table(source, Selection::all);
  page_.end_details();
}

void Writer::score_table(const SourceScores& source, Selection selection) {
  const bool speed =
      std::any_of(report_.speeds.begin(), report_.speeds.end(), [](const auto& s) { return s.has_value(); });
  Table table;
  table.columns = {
      {"format", false, ""},
      {"bits", true, "per weight, with scales and everything else that a row takes"},
      {"SQNR, dB", true, "−10 log₁₀ of the relative error"},
      {"relative error", true, "‖x − x̂‖² / ‖x‖²"},
      {source.is_model ? "below D(R), dB" : "to bound, dB", true, std::string(bound_name(source))}};
  if (source.is_model) table.columns.push_back({"matrices", true, "whose rows fit"});
  if (speed) {
    table.columns.push_back({"encode, GB/s", true, "bytes of float32 read per second, one thread"});
    table.columns.push_back({"decode, GB/s", true, "bytes of float32 written per second, one thread"});
  }
  table.columns.push_back({"what it is", false, ""});
  for (const std::size_t i : report_.by_bits(source, selection)) {
    const Score& score = source.scores[i];
    const Candidate& candidate = *report_.candidates()[i];
    Table::Row row{{name_cell(candidate, score.best),
                    {fmt::format("{:.4f}", score.bits)},
                    {decibels_text(score)},
                    {score.exact() ? "0" : fmt::format("{:.3e}", score.relative_error)},
                    {score.below_bound ? "below: a bug" : distance_text(score)}},
                   score.best};
    if (source.is_model) row.cells.push_back({fmt::format("{} of {}", score.n_fitting, source.n_matrices)});
    if (speed) {
      const std::optional<Speed>& measured = report_.speeds[i];
      row.cells.push_back({measured ? readable(measured->encode_gbps, 3) : "–"});
      row.cells.push_back({measured ? readable(measured->decode_gbps, 3) : "–"});
    }
    Cell summary{std::string(candidate.summary())};
    summary.note = true;
    row.cells.push_back(std::move(summary));
    table.rows.push_back(std::move(row));
  }
  page_.table(table);
}

void Writer::notes() {
  page_.section("notes", "How to read this");
  page_.paragraph(
      "SQNR is signal over quantization noise: 6.02 dB more is one bit well spent. Bits count everything "
      "that is "
      "stored for a row: codes, scales, minima, and the unused end of a last block. A marked row is the best "
      "of its "
      "half bit: nothing with as many bits or fewer is closer. Of kerf’s own families, which come in many "
      "group sizes and types "
      "of scales, tables and names in charts are of those that no other member outdoes, and of all types of "
      "GGUF files.");
  if (report_.model)
    page_.paragraph(
        "A small error of weights is not yet a good model: what the error does to the output depends on the "
        "activations that meet it. «kerf eval» measures that.");
}

}  // namespace

std::string study_page(const StudyReport& report, std::string_view version) {
  return Writer(report, version).html();
}

}  // namespace kerf::study

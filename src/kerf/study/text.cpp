#include "kerf/study/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kerf/io/printable.h"

namespace kerf::study {
namespace {

constexpr std::size_t kShownColumns = 8;

std::string decibel_text(const Score& score) {
  return score.exact()                  ? "exact"
         : std::isfinite(score.sqnr_db) ? fmt::format("{:.2f}", score.sqnr_db)
                                        : "overflow";
}

std::string distance_text(const Score& score) {
  return score.exact() || !std::isfinite(score.to_bound_db) ? "" : fmt::format("{:.2f}", score.to_bound_db);
}

std::size_t name_width(const StudyReport& report) {
  std::size_t width = 6;
  for (const auto& candidate : report.candidates()) width = std::max(width, candidate->name().size());
  return width;
}

bool has_speed(const StudyReport& report) {
  return std::any_of(report.speeds.begin(), report.speeds.end(),
                     [](const auto& speed) { return speed.has_value(); });
}

std::string speed_text(const std::optional<Speed>& speed) {
  return speed ? fmt::format("{:>9.4f} {:>9.3f}", speed->encode_gbps, speed->decode_gbps) : "";
}

/// «A, B, C» in lines of at most 100 characters, for lists of formats.
std::string wrapped(const std::string& head, const std::vector<std::string>& items) {
  std::string out, line = head;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? "," : "");
    if (line.size() + item.size() > 100) {
      out += line + "\n";
      line = " ";
    }
    line += " " + item;
  }
  return out + line + "\n";
}

/// What does not fit everywhere, for the reader to know why it is missing.
std::string misfits(const StudyReport& report, const SourceScores& source, Selection selection) {
  std::vector<std::string> none, some;
  std::size_t n_others = 0;
  for (std::size_t i = 0; i < source.scores.size(); ++i) {
    const Score& score = source.scores[i];
    if (score.n_fitting == source.n_matrices) continue;
    const std::string name(report.candidates()[i]->name());
    if (!score.leads && selection == Selection::leading)
      ++n_others;
    else if (!score.fits())
      none.push_back(name);
    else
      some.push_back(fmt::format("{} ({})", name, score.n_fitting));
  }
  std::vector<std::string>& last = some.empty() ? none : some;
  if (n_others > 0) last.push_back(fmt::format("and {} others", n_others));
  std::string out;
  if (!none.empty()) out += wrapped("Rows do not fit:", none);
  if (!some.empty())
    out += wrapped(
        fmt::format("Only some of the {} matrices fit, the figures are theirs:", source.n_matrices), some);
  return out;
}

std::string heading(const StudyReport& report, const SourceScores& source) {
  if (source.is_model)
    return fmt::format("{}: {} matrices, {} numbers rounded; mean relative error over the matrices\n",
                       printable(source.title), source.n_matrices, source.n_numbers);
  return fmt::format("{}: {} numbers in rows of {}; distance to {}\n", source.title, source.n_numbers,
                     report.options.row_length, bound_name(source));
}

std::string heaviest_columns(const ModelStudy& model) {
  std::string out = "Heaviest columns (largest |x| over the rms of the matrix)\n";
  for (std::size_t i = 0; i < std::min(kShownColumns, model.heaviest.size()); ++i) {
    const HeavyColumn& column = model.heaviest[i];
    out += fmt::format("  {:>7.1f}  {} column {}, its own rms {:.2f} times the matrix's\n",
                       column.max_over_rms, printable(column.tensor), column.column, column.rms_over_rms);
  }
  return out;
}

}  // namespace

std::string_view bound_name(const SourceScores& source) noexcept {
  if (source.is_model) return "the Gaussian D(R), which is no bound for weights, only a mark to compare with";
  return source.bound_is_exact ? "the bound D(R) = 2^(-2R)" : "Shannon's lower bound of D(R)";
}

std::string source_table(const StudyReport& report, const SourceScores& source, Selection selection) {
  const bool speed = has_speed(report);
  const std::size_t width = name_width(report);
  std::string out = fmt::format("  {:<{}}  {:>8}  {:>9}  {:>11}  {:>9}{}\n", "format", width, "bits/w",
                                "SQNR dB", "rel. error", "to bound", speed ? "   enc GB/s  dec GB/s" : "");
  for (const std::size_t i : report.by_bits(source, selection)) {
    const Score& score = source.scores[i];
    std::string line =
        fmt::format("{} {:<{}}  {:>8.4f}  {:>9}  {:>11.3e}  {:>9}  {}", score.best ? "*" : " ",
                    report.candidates()[i]->name(), width, score.bits, decibel_text(score),
                    score.relative_error, distance_text(score), speed ? speed_text(report.speeds[i]) : "");
    if (score.below_bound) line += "  BELOW THE BOUND";
    out += line.erase(line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string comparison_table(const StudyReport& report, const std::vector<const SourceScores*>& sources,
                             Selection selection) {
  const bool speed = has_speed(report);
  const std::size_t width = name_width(report);
  std::string out = fmt::format("{:<{}}  {:>8}", "", width, "");
  for (const SourceScores* source : sources) out += fmt::format("   {:^15}", source->title);
  out += fmt::format("\n{:<{}}  {:>8}", "format", width, "bits/w");
  for (std::size_t i = 0; i < sources.size(); ++i) out += fmt::format("   {:>7} {:>7}", "SQNR", "bound−");
  out += speed ? "   enc GB/s  dec GB/s\n" : "\n";
  for (const std::size_t i : report.by_bits(*sources.front(), Selection::all)) {
    const bool leads = std::any_of(sources.begin(), sources.end(),
                                   [&](const SourceScores* source) { return source->scores[i].leads; });
    if (!leads && selection == Selection::leading) continue;
    std::string line = fmt::format("{:<{}}  {:>8.4f}", report.candidates()[i]->name(), width,
                                   sources.front()->scores[i].bits);
    for (const SourceScores* source : sources) {
      const Score& score = source->scores[i];
      line +=
          fmt::format("  {}{:>7} {:>7}", score.best ? "*" : " ", decibel_text(score), distance_text(score));
    }
    if (speed) line += "  " + speed_text(report.speeds[i]);
    out += line.erase(line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string study_text(const StudyReport& report, Selection selection) {
  std::string out;
  std::vector<const SourceScores*> distributions;
  for (const SourceScores& source : report.sources) {
    if (!source.is_model) {
      distributions.push_back(&source);
      continue;
    }
    out += heading(report, source) + source_table(report, source, selection) +
           misfits(report, source, selection) + "\n" + heaviest_columns(*report.model) + "\n";
  }
  if (distributions.size() == 1)
    out += heading(report, *distributions[0]) + source_table(report, *distributions[0], selection);
  if (distributions.size() > 1)
    out += fmt::format(
               "{} numbers of each distribution in rows of {}; SQNR in dB, and by how much the bound is "
               "above it:\nD(R) = 2^(-2R) for the Gaussian, Shannon's lower bound for the others\n",
               distributions[0]->n_numbers, report.options.row_length) +
           comparison_table(report, distributions, selection);
  if (!distributions.empty()) out += misfits(report, *distributions[0], selection);
  out += "* the best of its half bit\n";
  if (has_speed(report))
    out += "GB/s: of float32 read by the encoder and written by the decoder, one thread\n";
  if (const std::size_t n = report.n_hidden(selection); n > 0)
    out += fmt::format("Not shown: {} of {} formats, outdone by others of their family; --all shows them\n",
                       n, report.candidates().size());
  return out;
}

}  // namespace kerf::study

// kerf study: every format on samples of known distributions and on a model, beside the rate-distortion
// bound.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/study/page.h"
#include "kerf/study/study.h"
#include "kerf/study/text.h"

namespace kerf::cli {
namespace {

using nlohmann::json;
using namespace kerf::study;

/// What was asked for, before names are looked up.
struct Request {
  StudyOptions options;
  std::vector<std::string> sources;
  std::vector<std::string> formats;
  std::vector<std::string> mappings;  ///< granularities
  double nu = Distribution::kDefaultNu;
  int effort = 1;
  bool no_speed = false;
  bool all = false;
  std::string html;
};

json score_as_json(const StudyReport& report, const SourceScores& source, std::size_t i) {
  const Score& score = source.scores[i];
  const Candidate& candidate = *report.candidates()[i];
  json out = {{"format", candidate.name()},      {"family", name_of(candidate.family())},
              {"bits_per_weight", score.bits},   {"relative_error", score.relative_error},
              {"sqnr_db", score.sqnr_db},        {"to_bound_db", score.to_bound_db},
              {"exact", score.exact()},          {"best_of_its_bits", score.best},
              {"leads_its_family", score.leads}, {"below_bound", score.below_bound}};
  if (source.is_model) out["matrices"] = score.n_fitting;
  if (report.speeds[i]) {
    out["encode_gb_s"] = report.speeds[i]->encode_gbps;
    out["decode_gb_s"] = report.speeds[i]->decode_gbps;
  }
  return out;
}

json source_as_json(const StudyReport& report, const SourceScores& source) {
  json formats = json::array();
  for (const std::size_t i : report.by_bits(source, Selection::all))
    formats.push_back(score_as_json(report, source, i));
  json not_fitting = json::array();
  for (std::size_t i = 0; i < source.scores.size(); ++i)
    if (!source.scores[i].fits()) not_fitting.push_back(report.candidates()[i]->name());
  return {{"source", source.name},
          {"title", source.title},
          {"numbers", source.n_numbers},
          {"bound", bound_name(source)},
          {"bound_db_at_0_bits", source.bound_at_0},
          {"formats", formats},
          {"do_not_fit", not_fitting}};
}

json column_as_json(const HeavyColumn& column) {
  return {{"tensor", column.tensor},
          {"column", column.column},
          {"max_over_rms", column.max_over_rms},
          {"rms_over_rms", column.rms_over_rms}};
}

json tensor_as_json(const StudyReport& report, const TensorStudy& tensor) {
  json errors = json::object();
  for (std::size_t i = 0; i < tensor.losses.size(); ++i)
    if (tensor.losses[i].fits())
      errors[std::string(report.candidates()[i]->name())] = tensor.losses[i].relative_error();
  json columns = json::array();
  for (const HeavyColumn& column : tensor.summary.columns) columns.push_back(column_as_json(column));
  return {{"name", tensor.summary.name},
          {"type", tensor.summary.format->name},
          {"shape", {tensor.summary.n_rows, tensor.summary.row_length}},
          {"rms", tensor.summary.rms},
          {"kurtosis", tensor.summary.kurtosis},
          {"max_over_rms", tensor.summary.max_over_rms},
          {"outliers", tensor.summary.n_outliers},
          {"columns", columns},
          {"relative_error", errors}};
}

json as_json(const StudyReport& report) {
  json sources = json::array();
  for (const SourceScores& source : report.sources) sources.push_back(source_as_json(report, source));
  json out = {{"seed", report.options.seed}, {"row_length", report.options.row_length}, {"sources", sources}};
  if (!report.model) return out;
  json tensors = json::array(), columns = json::array();
  for (const TensorStudy& tensor : report.model->tensors) tensors.push_back(tensor_as_json(report, tensor));
  for (const HeavyColumn& column : report.model->heaviest) columns.push_back(column_as_json(column));
  out["model"] = {{"path", report.model->path.string()},
                  {"rows_per_matrix", report.options.model_rows},
                  {"tensors", tensors},
                  {"heaviest_columns", columns}};
  return out;
}

/// Looks up what the options name.
Result<void> resolve(Request& request) {
  StudyOptions& options = request.options;
  if (request.formats != std::vector<std::string>{"none"}) {
    KERF_TRY(options.candidates, find_candidates(request.formats, request.effort));
  }
  for (const std::string& granularity : request.mappings) {
    KERF_TRY(const Candidates mapped, mapping_candidates(granularity));
    options.candidates.insert(options.candidates.end(), mapped.begin(), mapped.end());
  }
  if (options.candidates.empty())
    return fail(ErrorKind::usage, "--format", "none leaves nothing to study without --mappings");
  if (request.sources.empty())
    for (const std::string_view name : Distribution::names()) request.sources.emplace_back(name);
  for (const std::string& name : request.sources) {
    if (name == "none") continue;
    KERF_TRY(Distribution distribution, Distribution::make(name, request.nu));
    options.distributions.push_back(std::move(distribution));
  }
  if (!options.levels_of.empty()) {
    KERF_TRY(const Candidates chosen, find_candidates({options.levels_of}, request.effort));
    options.levels_of = chosen.front()->name();
    if (std::none_of(options.candidates.begin(), options.candidates.end(),
                     [&](const auto& candidate) { return candidate->name() == options.levels_of; }))
      return fail(ErrorKind::usage, "--levels",
                  fmt::format("{} is not among the formats studied", options.levels_of));
  }
  options.speed = !request.no_speed;
  return {};
}

/// A format that beats the bound is no finding but a bug.
Result<void> check_bound(const StudyReport& report) {
  for (const SourceScores& source : report.sources)
    for (std::size_t i = 0; i < source.scores.size(); ++i)
      if (source.scores[i].below_bound)
        return fail(
            ErrorKind::numeric, std::string(report.candidates()[i]->name()),
            fmt::format("does better on {} numbers than any code of {:.4f} bits can: this is a bug in kerf; "
                        "please report it",
                        source.title, source.scores[i].bits));
  return {};
}

Result<void> study_and_show(Invocation& invocation, Request& request) {
  KERF_CHECK_OK(resolve(request));
  // What was asked for by name is shown.
  const Selection selection = request.all || !request.formats.empty() ? Selection::all : Selection::leading;
  // The place of the page is tried before the work is done.
  std::optional<AtomicFile> page;
  if (!request.html.empty()) {
    KERF_TRY(page, AtomicFile::create(request.html));
  }
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const StudyReport report, run_study(std::move(request.options), pool, invocation.progress()));
  if (page) {
    KERF_CHECK_OK(page->write(study_page(report, KERF_VERSION)));
    KERF_CHECK_OK(page->commit());
  }
  invocation.common().json ? print_json(as_json(report)) : fmt::print("{}", study_text(report, selection));
  return check_bound(report);
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_study, "kerf study model.gguf --rows 32 --html study.html");
  Request request;
  StudyOptions& options = request.options;
  CLI::App& app = invocation.app();
  app.add_option("MODEL", options.model,
                 "GGUF file, safetensors file or folder whose matrices are studied too");
  app.add_option("--source", request.sources,
                 "distributions to sample: gaussian, laplace, uniform, student-t, or none; all by default")
      ->delimiter(',');
  app.add_option("--nu", request.nu, "degrees of freedom of student-t");
  app.add_option("--format", request.formats,
                 "study only these formats and mappings (nf4:4/64), or none; all formats by default")
      ->delimiter(',');
  app.add_option("--mappings", request.mappings,
                 "study all scalar mappings too, at these granularities: group:N or channel")
      ->delimiter(',');
  app.add_option("--effort", request.effort, "how long to search for each block: 0 fast … 3 thorough")
      ->check(CLI::Range(0, 3));
  app.add_option("--samples", options.n_rows, "rows of numbers to draw from each distribution")
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("--row-length", options.row_length, "numbers in each of them")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--seed", options.seed, "names the sample");
  app.add_option("--tensor", options.tensors, "REGEX: only matrices whose name contains a match");
  app.add_option("--rows", options.model_rows, "rows to round of each matrix, evenly spaced; 0 is all");
  app.add_option("--levels", options.levels_of, "format whose levels the page shows over a matrix");
  app.add_flag("--all", request.all, "print also formats that others of their family outdo");
  app.add_flag("--no-speed", request.no_speed, "do not time anything: output that repeats to the byte");
  app.add_option("--html", request.html, "write a self-contained page with charts to this file");
  return invocation.run(arguments, [&] { return study_and_show(invocation, request); });
}

}  // namespace

const Command cmd_study{"study", "measure every format on known distributions and on a model", run};

}  // namespace kerf::cli

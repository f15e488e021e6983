// kerf report: quantized files of one model side by side, as a page, as JSON and as a model card.
#include <fmt/format.h>

#include <set>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/eval_json.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/study/comparison_page.h"

namespace kerf::cli {
namespace {

using nlohmann::json;
using namespace kerf::study;

struct Request {
  std::vector<std::string> models;
  std::string base, text, page, card;
  EvalOptions options;
};

/// The three files that are written, opened before anything is measured so that a bad place is found early.
struct Outputs {
  AtomicFile page, json, card;

  static Result<Outputs> create(const Request& request) {
    const std::filesystem::path page = request.page;
    const auto beside = [&](const char* ending) {
      return std::filesystem::path(page).replace_extension(ending);
    };
    const std::filesystem::path card =
        request.card.empty() ? beside(".md") : std::filesystem::path(request.card);
    if (std::set<std::filesystem::path>{page, beside(".json"), card}.size() != 3)
      return fail(ErrorKind::usage, "-o", "page, JSON and card need three names: end the page’s in .html");
    KERF_TRY(AtomicFile page_file, AtomicFile::create(page));
    KERF_TRY(AtomicFile json_file, AtomicFile::create(beside(".json")));
    KERF_TRY(AtomicFile card_file, AtomicFile::create(card));
    return Outputs{std::move(page_file), std::move(json_file), std::move(card_file)};
  }
};

json as_json(const FileSummary& file) {
  json types = json::object(), notes = json::object();
  for (const auto& [type, share] : file.types)
    types[type] = {{"tensors", share.n_tensors}, {"weights", share.n_weights}, {"bytes", share.n_bytes}};
  for (const auto& [key, value] : file.notes) notes[key] = value;
  return {{"path", file.path.string()},
          {"name", file.model_name},
          {"architecture", file.architecture},
          {"bytes", file.file_bytes},
          {"weights", file.n_weights},
          {"bits_per_weight", file.bits_per_weight()},
          {"sha256", file.sha256.empty() ? json() : json(file.sha256)},
          {"types", types},
          {"metadata", notes},
          {"command", file.command.empty() ? json() : json(file.command)}};
}

json as_json(const Spread& spread) {
  return {{"kurtosis", spread.kurtosis}, {"max_over_rms", spread.max_over_rms}, {"column", spread.column}};
}

json as_json(const ComparedFile& each, bool on_frontier) {
  json out = as_json(each.file);
  out["eval"] = eval_as_json(each.eval);
  out["on_frontier"] = on_frontier;
  json matrices = json::array();
  for (const MatrixComparison& matrix : each.matrices)
    matrices.push_back({{"name", matrix.name},
                        {"type", matrix.type},
                        {"relative_error", matrix.relative_error},
                        {"before", as_json(matrix.before)},
                        {"after", as_json(matrix.after)}});
  out["tensors"] = std::move(matrices);
  return out;
}

json as_json(const ComparisonReport& report) {
  const std::vector<std::size_t> best = frontier(report.files);
  json files = json::array();
  for (std::size_t i = 0; i < report.files.size(); ++i)
    files.push_back(as_json(report.files[i], std::find(best.begin(), best.end(), i) != best.end()));
  return {{"base", as_json(report.base)}, {"text", report.text}, {"files", files}};
}

/// The model is let go before the next one is opened; the base stays.
Result<ComparedFile> compare_file(Invocation& invocation, const Request& request, const std::string& path,
                                  const LoadedModel& base, const std::string& text, ThreadPool& pool) {
  Progress& progress = invocation.progress();
  ComparedFile out;
  KERF_TRY(const LoadedModel loaded, load_model(path, pool));
  KERF_TRY(const auto tokenizer, loaded.source->require_tokenizer());
  KERF_TRY(out.eval,
           evaluate(*loaded.model, base.model.get(), *tokenizer, text, request.options, pool, progress));
  KERF_TRY(out.file, summarize_file(*loaded.source));
  KERF_TRY(out.matrices, compare_matrices(*base.source, *loaded.source, pool, progress));
  KERF_TRY(out.levels, compare_levels(*base.source, *loaded.source, out.matrices));
  return out;
}

void print_table(const ComparisonReport& report) {
  const std::vector<std::size_t> best = frontier(report.files);
  fmt::print("{:>12} {:>7} {:>20} {:>9} {:>8}   file\n", "bytes", "bits", "KLD", "ΔPPL", "same top");
  for (std::size_t i = 0; i < report.files.size(); ++i) {
    const ComparedFile& each = report.files[i];
    const Comparison& c = *each.eval.comparison;
    fmt::print("{:>12} {:>7.3f} {:>9.5f} ± {:.5f} {:>+9.4f} {:>6.2f} % {} {}\n", each.file.file_bytes,
               each.file.bits_per_weight(), c.kld_mean, c.kld_se, each.eval.perplexity - c.perplexity_base,
               c.same_top_percent, std::find(best.begin(), best.end(), i) != best.end() ? "*" : " ",
               each.file.path.string());
  }
}

Result<void> report_and_write(Invocation& invocation, const Request& request) {
  KERF_TRY(Outputs outputs, Outputs::create(request));
  KERF_TRY(const std::string text, read_file(request.text));
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const LoadedModel base, load_model(request.base, pool));
  ComparisonReport report;
  report.text = request.text;
  KERF_TRY(report.base, summarize_file(*base.source));
  for (const std::string& path : request.models) {
    KERF_TRY(ComparedFile each, compare_file(invocation, request, path, base, text, pool));
    report.files.push_back(std::move(each));
  }
  const json object = as_json(report);
  KERF_CHECK_OK(outputs.page.write(comparison_page(report, KERF_VERSION)));
  KERF_CHECK_OK(outputs.json.write(object.dump(2, ' ', false, json::error_handler_t::replace) + "\n"));
  KERF_CHECK_OK(outputs.card.write(model_card(report, KERF_VERSION)));
  KERF_CHECK_OK(outputs.page.commit());
  KERF_CHECK_OK(outputs.json.commit());
  KERF_CHECK_OK(outputs.card.commit());
  invocation.common().json ? print_json(object) : print_table(report);
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(
      cmd_report,
      "kerf report q4.gguf q3.gguf --base model.gguf --text wikitext2-test.txt --chunks 20 -o page.html");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("MODELS", request.models, "quantized files of one model: GGUF files or Hugging Face folders")
      ->required();
  app.add_option("--base", request.base, "the model that they were made from")->required();
  app.add_option("--text", request.text, "the text to predict; not one that calibration read")->required();
  app.add_option("-o,--output", request.page, "the page; the same name in .json and .md goes beside it")
      ->required();
  app.add_option("--card", request.card, "write the model card here instead");
  app.add_option("--ctx", request.options.ctx, "window in tokens; 0 is 512");
  app.add_option("--chunks", request.options.n_chunks, "score only the first windows; 0 is all");
  return invocation.run(arguments, [&] { return report_and_write(invocation, request); });
}

}  // namespace

const Command cmd_report{"report", "compare quantized files of a model: a page, JSON and a model card", run};

}  // namespace kerf::cli

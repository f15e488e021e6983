#include "kerf/cli/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "kerf/base/file.h"
#include "kerf/cli/loaded_model.h"

namespace kerf::cli {
namespace {

/// One thing that is measured and how it is compared.
struct Measure {
  std::string_view name;
  std::string_view what;
  bool at_most;  ///< otherwise at least
  double (*value)(const Comparison&);
};

constexpr Measure kMeasures[] = {
    {"kld", "mean KL divergence", true, [](const Comparison& c) { return c.kld_mean; }},
    {"kld99", "99th percentile of KL divergence", true, [](const Comparison& c) { return c.kld_p99; }},
    {"ppl", "perplexity relative to the base", true, [](const Comparison& c) { return c.perplexity_ratio; }},
    {"top", "percent with the same top token", false, [](const Comparison& c) { return c.same_top_percent; }},
};

struct Limit {
  const Measure* measure;
  double value;
};

Result<Limit> parse(const std::string& text) {
  const std::size_t cut = text.find('=');
  const auto measure = std::find_if(std::begin(kMeasures), std::end(kMeasures),
                                    [&](const Measure& m) { return m.name == text.substr(0, cut); });
  char* end = nullptr;
  const double value = cut == std::string::npos ? 0 : std::strtod(text.c_str() + cut + 1, &end);
  if (measure == std::end(kMeasures) || end == nullptr || end == text.c_str() + cut + 1 || *end != '\0' ||
      !(value > 0))
    return fail(ErrorKind::usage, "--gate",
                fmt::format("«{}» is not a limit such as kld=0.05, kld99=1, ppl=1.02 or top=95", text));
  return Limit{measure, value};
}

Result<EvalResult> judge(Invocation& invocation, const GateRequest& request,
                         const std::filesystem::path& base_path, const std::filesystem::path& candidate,
                         ThreadPool& pool) {
  KERF_TRY(const std::string text, read_file(request.text));
  KERF_TRY(const LoadedModel model, load_model(candidate.string(), pool));
  KERF_TRY(const LoadedModel base, load_model(base_path.string(), pool));
  KERF_TRY(const auto tokenizer, model.source->require_tokenizer());
  KERF_TRY(const EvalResult result, evaluate(*model.model, base.model.get(), *tokenizer, text, request.eval,
                                             pool, invocation.progress()));
  for (const std::string& each : request.limits) {
    KERF_TRY(const Limit limit, parse(each));
    const double value = limit.measure->value(*result.comparison);
    const bool holds = limit.measure->at_most ? value <= limit.value : value >= limit.value;
    if (!holds)
      return fail(
          ErrorKind::quality, request.text,
          fmt::format("{} is {:.5g}, the gate asks for {} {:.5g}; the file was not put in place: give it "
                      "more bits or a better method",
                      limit.measure->what, value, limit.measure->at_most ? "at most" : "at least",
                      limit.value));
    if (!invocation.common().json)
      fmt::print("gate: {} {:.5g} ({} {:.5g})\n", limit.measure->what, value,
                 limit.measure->at_most ? "at most" : "at least", limit.value);
  }
  return result;
}

}  // namespace

void GateRequest::add_options(CLI::App& app) {
  const std::string group = "Gate";
  app.add_option("--gate", limits,
                 "put the file in place only if kld=…, kld99=…, ppl=… (ratio) and top=… (percent) hold; else "
                 "exit code 5")
      ->delimiter(',')
      ->group(group);
  app.add_option("--gate-text", text, "the text to judge by; not one of --calib")->group(group);
  app.add_option("--gate-chunks", eval.n_chunks, "read only so many windows of it; 0 is all")
      ->default_val(20)
      ->group(group);
}

Result<void> GateRequest::check(const std::vector<std::string>& calibration_texts) const {
  if (!given()) return {};
  for (const std::string& each : limits) {
    const Result<Limit> limit = parse(each);
    if (!limit) return tl::unexpected(limit.error());
  }
  if (text.empty())
    return fail(ErrorKind::usage, "--gate-text", "a gate needs a text that calibration does not read");
  for (const std::string& other : calibration_texts) {
    std::error_code ec;
    if (std::filesystem::equivalent(text, other, ec))
      return fail(ErrorKind::usage, "--gate-text",
                  fmt::format("{} is read for calibration too; judge by another text", text));
  }
  return {};
}

std::filesystem::path candidate_path(const std::filesystem::path& output) {
  std::filesystem::path path = output;
  return path += ".candidate";
}

Result<EvalResult> pass_gate(Invocation& invocation, const GateRequest& request,
                             const std::filesystem::path& base, const std::filesystem::path& candidate,
                             const std::filesystem::path& output, ThreadPool& pool) {
  Result<EvalResult> result = judge(invocation, request, base, candidate, pool);
  std::error_code ec;
  if (!result) {
    std::filesystem::remove(candidate, ec);
    return result;
  }
  std::filesystem::rename(candidate, output, ec);
  if (ec)
    return fail(ErrorKind::io, output.string(), fmt::format("cannot be put in place: {}", ec.message()));
  return result;
}

}  // namespace kerf::cli

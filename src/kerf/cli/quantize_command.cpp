#include "kerf/cli/quantize_command.h"

#include <fmt/format.h>

#include <chrono>
#include <map>

#include "kerf/methods/rotated_source.h"
#include "kerf/methods/sensitivity.h"
#include "kerf/methods/time_plan.h"
#include "kerf/model/config.h"

namespace kerf::cli {
namespace {

/// What a calibrated file's metadata may add to those that its size was planned with.
constexpr std::uint64_t kRoomForNotes = 4096;

struct Outcome {
  const ModelSource& source;
  const QuantizePlan& plan;
  const CalibratedPlan* calibrated;   // nullptr: every tensor by itself
  std::vector<TensorReport> reports;  // empty in a dry run
  double seconds = 0;
  std::optional<EvalResult> judgement = {};
};

std::string method_name(const WriteRequest& request) {
  if (request.calibration) return std::string(request.calibration->method->name);
  if (request.recipe.method != nullptr) return std::string(request.recipe.method->name);
  return request.recipe.importance_file.empty() ? "rtn" : "imatrix";
}

nlohmann::json tensors_as_json(const Outcome& outcome) {
  auto tensors = nlohmann::json::array();
  for (std::size_t i = 0; i < outcome.plan.tensors.size(); ++i) {
    const Assignment& assignment = outcome.plan.assignments[i];
    nlohmann::json tensor = {
        {"name", outcome.plan.tensors[i].name}, {"shape", outcome.plan.tensors[i].shape},
        {"asked", assignment.asked->name},      {"got", assignment.got->name},
        {"reason", assignment.reason},          {"bytes", outcome.plan.tensors[i].n_bytes()}};
    const RoundingError* error = outcome.reports.empty() ? nullptr : &outcome.reports[i].error;
    tensor["nmse"] = error == nullptr ? nlohmann::json() : nlohmann::json(error->nmse);
    if (error != nullptr && error->baseline > 0) {
      tensor["output_error"] = error->output;
      tensor["plain_output_error"] = error->baseline;
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

nlohmann::json calibration_as_json(const CalibratedOptions& options, const CalibratedPlan& calibrated) {
  auto texts = nlohmann::json::array();
  for (const CalibrationText& text : options.texts) texts.push_back(text.name);
  return {{"texts", std::move(texts)},         {"tokens", calibrated.windows.tokens().size()},
          {"ctx", calibrated.windows.ctx()},   {"seed", options.seed},
          {"damping", options.tuning.damping}, {"spilled_bytes", calibrated.memory.spill_bytes}};
}

nlohmann::json gate_as_json(const EvalResult& judgement) {
  const Comparison& c = *judgement.comparison;
  return {{"kld_mean", c.kld_mean},
          {"kld_p99", c.kld_p99},
          {"perplexity_ratio", c.perplexity_ratio},
          {"same_top_percent", c.same_top_percent}};
}

nlohmann::json as_json(const WriteRequest& request, const Outcome& outcome) {
  const bool calibrated = outcome.calibrated != nullptr;
  return {{"input", request.input.string()},
          {"output", request.output.string()},
          {"type", request.recipe.type},
          {"dry_run", request.dry_run},
          {"parameters", outcome.plan.n_parameters},
          {"output_bytes", outcome.plan.output_bytes},
          {"bpw_effective", outcome.plan.bpw_effective},
          {"bpw_nominal", outcome.plan.bpw_nominal},
          {"peak_memory_bytes", request.dry_run ? outcome.plan.peak_memory_bytes : peak_memory_bytes()},
          {"seconds", outcome.seconds},
          {"method", method_name(request)},
          {"gate", outcome.judgement ? gate_as_json(*outcome.judgement) : nlohmann::json()},
          {"calibration",
           calibrated ? calibration_as_json(*request.calibration, *outcome.calibrated) : nlohmann::json()},
          {"tensors", tensors_as_json(outcome)}};
}

/// What tensors of one kind and fate have in common, for the table.
struct Group {
  std::size_t count = 0;
  std::uint64_t numbers = 0;
  std::uint64_t bytes = 0;
  double weighted_nmse = 0;
};

void print_table(const Outcome& outcome) {
  std::map<std::pair<std::string_view, std::string_view>, Group> groups;
  for (std::size_t i = 0; i < outcome.plan.tensors.size(); ++i) {
    const Assignment& a = outcome.plan.assignments[i];
    Group& group = groups[{a.got->name, a.asked == a.got ? std::string_view{} : a.asked->name}];
    const std::uint64_t n = outcome.source.tensors()[i].n_elements();
    ++group.count;
    group.numbers += n;
    group.bytes += outcome.plan.tensors[i].n_bytes();
    if (!outcome.reports.empty())
      group.weighted_nmse += outcome.reports[i].error.nmse * static_cast<double>(n);
  }
  fmt::print("{:<8} {:>8} {:>14} {:>10} {:>7}  {:<10} {}\n", "type", "tensors", "numbers", "bytes", "bits",
             outcome.reports.empty() ? "" : "mean nmse", "");
  for (const auto& [key, group] : groups) {
    const auto n = static_cast<double>(group.numbers);
    const std::string nmse = outcome.reports.empty() ? "" : fmt::format("{:.3g}", group.weighted_nmse / n);
    fmt::print("{:<8} {:>8} {:>14} {:>10} {:>7.3f}  {:<10} {}\n", key.first, group.count, group.numbers,
               human_bytes(static_cast<double>(group.bytes)), 8.0 * static_cast<double>(group.bytes) / n,
               nmse, key.second.empty() ? "" : fmt::format("asked for {}", key.second));
  }
}

/// «attn_q» of «blk.3.attn_q.weight».
std::string kind_of(const std::string& tensor) {
  const std::size_t begin = tensor.starts_with("blk.") ? tensor.find('.', 4) + 1 : 0;
  return tensor.substr(begin, tensor.rfind(".weight") - begin);
}

/// What the method made of the error at the weights' outputs, by kind of tensor.
void print_output_errors(const WriteRequest& request, const Outcome& outcome) {
  struct Sum {
    std::size_t count = 0;
    double before = 0, after = 0;
  };
  std::map<std::string, Sum> kinds;
  for (const TensorReport& report : outcome.reports) {
    if (report.error.baseline <= 0) continue;
    Sum& sum = kinds[kind_of(report.name)];
    ++sum.count;
    sum.before += report.error.baseline;
    sum.after += report.error.output;
  }
  if (kinds.empty()) return;
  fmt::print("\nmean error of outputs   {:>10} {:>10}  ratio\n", "rtn", method_name(request));
  for (const auto& [kind, sum] : kinds) {
    const auto n = static_cast<double>(sum.count);
    fmt::print("  {:<20}  {:>10.5f} {:>10.5f}  {:.3f}\n", kind, sum.before / n, sum.after / n,
               sum.after / sum.before);
  }
}

/// Fallbacks are said aloud, a line for each kind of tensor and reason.
void say_fallbacks(const Outcome& outcome) {
  std::map<std::string, std::size_t> lines;
  for (const Assignment& a : outcome.plan.assignments)
    if (a.asked != a.got) ++lines[fmt::format("{} instead of {}: {}", a.got->name, a.asked->name, a.reason)];
  for (const auto& [line, count] : lines)
    fmt::print(stderr, "kerf: {} {}\n", count == 1 ? "1 tensor gets" : fmt::format("{} tensors get", count),
               line);
}

void print_report(const WriteRequest& request, const Outcome& outcome) {
  print_table(outcome);
  print_output_errors(request, outcome);
  if (outcome.calibrated != nullptr)
    fmt::print("\n{}, calibrated with {} tokens in windows of {}\n", method_name(request),
               outcome.calibrated->windows.tokens().size(), outcome.calibrated->windows.ctx());
  fmt::print("\n{} {}, {} bytes; {:.3f} bits per weight ({:.3f} asked for), peak memory {}{}, {}{}\n",
             request.dry_run ? "would write" : "wrote", request.output.string(), outcome.plan.output_bytes,
             outcome.plan.bpw_effective, outcome.plan.bpw_nominal, request.dry_run ? "at most " : "",
             human_bytes(
                 static_cast<double>(request.dry_run ? outcome.plan.peak_memory_bytes : peak_memory_bytes())),
             request.dry_run ? "about " : "", human_seconds(outcome.seconds));
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.parent_path().empty() ? std::filesystem::path(".") : file.parent_path();
}

Result<void> check_paths(const WriteRequest& request) {
  std::error_code ec;
  if (std::filesystem::equivalent(request.input, request.output, ec))
    return fail(ErrorKind::usage, request.output.string(), "is the input; name another output");
  return {};
}

/// How much each column matters to the answers of the model: from a file, or measured on the first of the
/// texts' windows.
Result<ImportanceMatrix> importance_for_budget(const ModelSource& source, const WriteRequest& request,
                                               ThreadPool& pool, Progress& progress) {
  constexpr std::size_t kWindows = 16;
  if (!request.recipe.importance_file.empty()) return read_importance(request.recipe.importance_file);
  if (!request.calibration)
    return fail(ErrorKind::usage, "--target-size",
                "needs texts (--calib) or guided importance (--imatrix) to tell which tensors matter");
  const CalibratedOptions& options = *request.calibration;
  KERF_TRY(const auto tokenizer, source.require_tokenizer());
  KERF_TRY(const ModelConfig config, config_from_metadata(source.metadata()));
  KERF_TRY(const TokenWindows all, cut_windows(*tokenizer, options.texts, options.ctx, config.n_vocabulary));
  const TokenWindows windows = sample_windows(all, kWindows, options.seed);
  KERF_TRY(Sensitivity sensitivity,
           measure_sensitivity(source, windows.tokens(), {.ctx = options.ctx, .seed = options.seed}, pool,
                               progress));
  return std::move(sensitivity.diagonal);
}

/// Rules that give every matrix its type; the user's own go before them.
Result<RecipeOptions> within_budget(const ModelSource& source, const WriteRequest& request, ThreadPool& pool,
                                    Progress& progress) {
  RecipeOptions recipe = request.recipe;
  recipe.type = "keep";
  KERF_TRY(const std::uint64_t target, request.budget.target_bytes(source));
  KERF_TRY(const RecipeRules floors, request.budget.floors());
  KERF_TRY(const QuantizePlan kept, plan_quantization(source, {.type = "keep"}, KERF_VERSION));
  KERF_TRY(const ImportanceMatrix importance, importance_for_budget(source, request, pool, progress));
  KERF_TRY(const std::vector<TensorCosts> costs,
           measure_costs(source, importance, request.budget.costs, pool, progress));
  KERF_TRY(const BudgetPlan plan,
           plan_budget(source, kept.metadata, costs, target - std::min(target, kRoomForNotes), floors));
  for (auto& rule : rules_of(source, costs, plan)) recipe.tensor_types.push_back(std::move(rule));
  return recipe;
}

}  // namespace

Result<void> write_model(Invocation& invocation, const WriteRequest& request) {
  KERF_CHECK_OK(check_paths(request));
  KERF_TRY(auto source, ModelSource::open(request.input));
  if (request.rotation) {
    KERF_TRY(source, rotated(std::move(source), *request.rotation));
  }
  ThreadPool pool(invocation.common().threads);
  RecipeOptions recipe = request.recipe;
  if (request.budget.given()) {
    KERF_TRY(recipe, within_budget(*source, request, pool, invocation.progress()));
  }
  KERF_TRY(QuantizePlan plan, plan_quantization(*source, recipe, KERF_VERSION));
  std::optional<CalibratedPlan> calibrated;
  if (request.calibration) {
    KERF_TRY(calibrated, plan_calibrated(*source, *request.calibration, pool, plan));
  }
  Outcome outcome{*source, plan, calibrated ? &*calibrated : nullptr, {}, 0, {}};
  if (!invocation.common().quiet) say_fallbacks(outcome);
  if (request.dry_run && calibrated) {
    KERF_TRY(outcome.seconds, expected_seconds(*source, plan, *calibrated, *request.calibration,
                                               folder_of(request.output), pool));
  } else if (request.dry_run) {
    outcome.seconds = expected_seconds(*source, plan, pool);
  } else {
    const auto begin = std::chrono::steady_clock::now();
    Progress& progress = invocation.progress();
    const std::filesystem::path target =
        request.gate.given() ? candidate_path(request.output) : request.output;
    KERF_TRY(outcome.reports, calibrated ? write_calibrated(*source, plan, *calibrated, *request.calibration,
                                                            target, pool, progress)
                                         : write_quantized(*source, plan, target, pool, progress));
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (request.gate.given()) {
      KERF_TRY(outcome.judgement,
               pass_gate(invocation, request.gate, request.input, target, request.output, pool));
    }
  }
  invocation.common().json ? print_json(as_json(request, outcome)) : print_report(request, outcome);
  return {};
}

}  // namespace kerf::cli

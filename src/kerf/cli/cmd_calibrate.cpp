// kerf calibrate: what flows into each weight while the model reads texts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "kerf/cli/common.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/methods/calibrate.h"
#include "kerf/methods/sensitivity.h"
#include "kerf/model/config.h"

namespace kerf::cli {
namespace {

struct Request {
  std::string model, output, state, part;
  std::vector<std::string> texts, merged, observers;
  CalibrationOptions options;
  bool guided = false;
  std::uint64_t seed = 0;
};

Result<std::vector<CalibrationText>> read_texts(const std::vector<std::string>& paths) {
  std::vector<CalibrationText> texts;
  for (const std::string& path : paths) {
    KERF_TRY(CalibrationText text, read_calibration_text(path));
    texts.push_back(std::move(text));
  }
  return texts;
}

std::string known_observers() {
  std::vector<std::string_view> names;
  for (const ObserverKind* kind : all_observers()) names.push_back(kind->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> parse_observers(Request& request) {
  for (const std::string& name : request.observers) {
    const ObserverKind* kind = find_observer(name);
    if (kind == nullptr)
      return fail(ErrorKind::usage, "--observe",
                  fmt::format("unknown observer «{}»; there are {}", name, known_observers()));
    if (kind != &observers::second_moment) request.options.observers.push_back(kind);
  }
  if (!request.observers.empty() && request.state.empty())
    return fail(ErrorKind::usage, "--observe", "what they see is written to the file that --state names");
  return {};
}

/// «2/4» is the second of four parts.
Result<void> parse_part(Request& request) {
  if (request.part.empty()) return {};
  unsigned long part = 0;
  unsigned long n_parts = 0;
  char rest = 0;
  if (std::sscanf(request.part.c_str(), "%lu/%lu%c", &part, &n_parts, &rest) != 2 || part == 0 ||
      part > n_parts)
    return fail(ErrorKind::usage, "--part", fmt::format("«{}» is not K/N with K from 1 to N", request.part));
  request.options.part = part - 1;
  request.options.n_parts = n_parts;
  return {};
}

Result<CalibrationRun> read_model(Invocation& invocation, const Request& request) {
  KERF_TRY(const auto texts, read_texts(request.texts));
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const LoadedModel loaded, load_model(request.model, pool));
  KERF_TRY(const auto tokenizer, loaded.source->require_tokenizer());
  return calibrate(*loaded.model, *tokenizer, texts, request.options, pool, invocation.progress());
}

Result<CalibrationRun> gather(Invocation& invocation, const Request& request) {
  CalibrationRun run;
  if (!request.texts.empty()) {
    KERF_TRY(run, read_model(invocation, request));
  }
  for (const std::string& path : request.merged) {
    KERF_TRY(const Calibration other, Calibration::load(path));
    KERF_CHECK_OK(run.calibration.merge(other));
  }
  return run;
}

Result<ImportanceMatrix> importance_of(const CalibrationRun& run, const Request& request) {
  KERF_TRY(ImportanceMatrix matrix, run.calibration.importance_matrix());
  if (matrix.weights.empty()) return fail(ErrorKind::input, "", "no second moments were observed");
  matrix.datasets = request.texts;
  matrix.chunk_size = request.options.ctx;
  matrix.n_chunks =
      static_cast<std::uint64_t>(matrix.weights.begin()->second.n_tokens.front()) / matrix.chunk_size;
  return matrix;
}

/// Columns weighted by what errors in them do to the model's answers, in nats.
Result<ImportanceMatrix> guided_importance(Invocation& invocation, const Request& request) {
  if (!request.observers.empty() || !request.state.empty() || !request.part.empty() ||
      !request.merged.empty())
    return fail(ErrorKind::usage, "--guided", "does not go with --observe, --state, --part and --merge");
  KERF_TRY(const auto texts, read_texts(request.texts));
  KERF_TRY(const auto source, ModelSource::open(request.model));
  KERF_TRY(const auto tokenizer, source->require_tokenizer());
  KERF_TRY(const ModelConfig config, config_from_metadata(source->metadata()));
  if (request.options.ctx < 4 || request.options.ctx > config.context_length)
    return fail(ErrorKind::usage, "--ctx",
                fmt::format("{} is not between 4 and the model's context of {} tokens", request.options.ctx,
                            config.context_length));
  KERF_TRY(const TokenWindows all, cut_windows(*tokenizer, texts, request.options.ctx, config.n_vocabulary));
  const TokenWindows windows = spread_windows(all, request.options.n_windows);
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(Sensitivity sensitivity,
           measure_sensitivity(*source, windows.tokens(), {.ctx = request.options.ctx, .seed = request.seed},
                               pool, invocation.progress()));
  ImportanceMatrix matrix = std::move(sensitivity.diagonal);
  matrix.datasets = request.texts;
  matrix.chunk_size = request.options.ctx;
  matrix.n_chunks = windows.size();
  return matrix;
}

/// Tokens that each expert saw, by the experts' weight of each layer: all three of an expert see the same.
nlohmann::json tokens_per_expert(const ImportanceMatrix& matrix) {
  auto out = nlohmann::json::object();
  for (const auto& [weight, entry] : matrix.weights)
    if (entry.n_matrices() > 1 && weight.find("_gate_exps.") != std::string::npos)
      out[weight] = entry.n_tokens;
  return out;
}

void print_experts(const ImportanceMatrix& matrix) {
  for (const auto& [weight, entry] : matrix.weights)
    if (entry.n_matrices() > 1 && weight.find("_gate_exps.") != std::string::npos)
      fmt::print(stderr, "{}: tokens per expert {}\n", weight, fmt::join(entry.n_tokens, ", "));
  if (const auto names = experts_never_hit(matrix); !names.empty())
    fmt::print(stderr, "never hit, to be rounded without weights: {}\n", fmt::join(names, ", "));
}

void report(const Invocation& invocation, const Request& request, const ImportanceMatrix& matrix) {
  print_experts(matrix);
  if (invocation.common().json) {
    print_json({{"model", request.model},
                {"output", request.output},
                {"state", request.state},
                {"texts", request.texts},
                {"ctx", matrix.chunk_size},
                {"windows", matrix.n_chunks},
                {"weights", matrix.weights.size()},
                {"tokens_per_expert", tokens_per_expert(matrix)},
                {"experts_never_hit", experts_never_hit(matrix)},
                {"peak_memory_bytes", peak_memory_bytes()}});
    return;
  }
  fmt::print("wrote {}: the inputs of {} weights over {} windows of {} tokens\n", request.output,
             matrix.weights.size(), matrix.n_chunks, matrix.chunk_size);
  if (!request.state.empty())
    fmt::print("wrote {}: what every observer knows, to be merged\n", request.state);
}

Result<void> run_request(Invocation& invocation, Request& request) {
  KERF_CHECK_OK(parse_observers(request));
  KERF_CHECK_OK(parse_part(request));
  if (request.texts.empty() && request.merged.empty())
    return fail(ErrorKind::usage, "--text", "name a text to read, or states to --merge");
  if (request.guided) {
    KERF_TRY(const ImportanceMatrix matrix, guided_importance(invocation, request));
    KERF_CHECK_OK(write_importance(matrix, request.output));
    report(invocation, request, matrix);
    return {};
  }
  KERF_TRY(const CalibrationRun run, gather(invocation, request));
  KERF_TRY(const ImportanceMatrix matrix, importance_of(run, request));
  if (!request.state.empty()) KERF_CHECK_OK(run.calibration.save(request.state));
  KERF_CHECK_OK(write_importance(matrix, request.output));
  report(invocation, request, matrix);
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_calibrate,
                        "kerf calibrate model.gguf importance.gguf --text wiki.txt code.txt --windows 100");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("model", request.model, "a GGUF file or a Hugging Face folder")->required();
  app.add_option("output", request.output,
                 "the importance matrix to write, as llama.cpp has it: GGUF, or its older form if the name "
                 "ends in .dat")
      ->required();
  app.add_option("--text", request.texts,
                 "texts to read: plain, or .jsonl with a field «text» (or «content») per line");
  app.add_option("--ctx", request.options.ctx, "window in tokens")->capture_default_str();
  app.add_option("--windows", request.options.n_windows,
                 "read at most so many windows, spread evenly over the texts; 0 is all");
  app.add_flag(
      "--guided", request.guided,
      "weigh tokens by the gradient of the model's own predictions: importance in nats per token, as kerf "
      "plan wants it");
  app.add_option("--seed", request.seed, "--guided draws what the model predicts")->capture_default_str();
  app.add_option("--observe", request.observers,
                 fmt::format("what to keep besides second moments: {}", known_observers()))
      ->delimiter(',');
  app.add_option("--state", request.state, "write the observers themselves to this file");
  app.add_option("--part", request.part, "K/N: read only the K-th of N parts, to --merge the states later");
  app.add_option("--merge", request.merged, "states of other parts to join");
  return invocation.run(arguments, [&] { return run_request(invocation, request); });
}

}  // namespace

const Command cmd_calibrate{"calibrate", "measure which inputs of each weight matter, for quantize --imatrix",
                            run};

}  // namespace kerf::cli

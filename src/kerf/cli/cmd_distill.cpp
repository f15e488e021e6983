// kerf distill: a quantized file learns to answer as its original does, in the same bytes.
#include <fmt/format.h>

#include <chrono>

#include "kerf/calib/texts.h"
#include "kerf/cli/common.h"
#include "kerf/methods/tune_model.h"
#include "kerf/model/config.h"

namespace kerf::cli {
namespace {

struct Request {
  std::filesystem::path student;
  std::filesystem::path output;
  std::filesystem::path base;
  std::vector<std::string> texts;
  std::size_t n_windows = 512;
  std::uint64_t seed = 0;
  ModelTuningOptions options;
};

Result<TokenWindows> windows_of(const ModelSource& student, const Request& request) {
  KERF_TRY(const auto tokenizer, student.require_tokenizer());
  KERF_TRY(const ModelConfig config, config_from_metadata(student.metadata()));
  std::vector<CalibrationText> texts;
  for (const std::string& path : request.texts) {
    KERF_TRY(CalibrationText text, read_calibration_text(path));
    texts.push_back(std::move(text));
  }
  KERF_TRY(const TokenWindows all, cut_windows(*tokenizer, texts, request.options.ctx, config.n_vocabulary));
  return sample_windows(all, request.n_windows + request.options.n_check, request.seed);
}

struct Outcome {
  ModelTuningReport tuning;
  std::size_t n_learned = 0;
  double seconds = 0;
};

void report(const Invocation& invocation, const Request& request, const Outcome& outcome) {
  const ModelTuningReport& tuning = outcome.tuning;
  if (invocation.common().json) {
    print_json({{"student", request.student.string()},
                {"base", request.base.string()},
                {"output", request.output.string()},
                {"texts", request.texts},
                {"seed", request.seed},
                {"ctx", request.options.ctx},
                {"windows", tuning.n_steps},
                {"best_step", tuning.best_step},
                {"kld_before", tuning.kld_before},
                {"kld_after", tuning.kld_after},
                {"learned", outcome.n_learned},
                {"seconds", outcome.seconds},
                {"peak_memory_bytes", peak_memory_bytes()}});
    return;
  }
  fmt::print(
      "wrote {}: {} matrices learned from {} windows of {} tokens in {}\n"
      "KL divergence on {} windows kept back: {:.4f} -> {:.4f} nats per token\n",
      request.output.string(), outcome.n_learned, tuning.n_steps, request.options.ctx,
      human_seconds(outcome.seconds), request.options.n_check, tuning.kld_before, tuning.kld_after);
}

Result<void> run_request(Invocation& invocation, const Request& request) {
  KERF_TRY(const auto source, ModelSource::open(request.student));
  KERF_TRY(const auto base, ModelSource::open(request.base));
  KERF_TRY(const TokenWindows windows, windows_of(*source, request));
  KERF_TRY(const std::unique_ptr<Student> student, Student::load(source));
  ThreadPool pool(invocation.common().threads);
  const auto begin = std::chrono::steady_clock::now();
  Outcome outcome;
  outcome.n_learned = student->owned().size();
  KERF_TRY(outcome.tuning,
           tune_model(*base, *student, windows.tokens(), request.options, pool, invocation.progress()));
  KERF_CHECK_OK(student->save(request.output));
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report(invocation, request, outcome);
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(
      cmd_distill, "kerf distill small.gguf better.gguf --base model.gguf --text wiki.txt --windows 500");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("student", request.student, "a quantized GGUF file")->required();
  app.add_option("output", request.output, "the GGUF file to write: the same types, the same size")
      ->required();
  app.add_option("--base", request.base, "the model that the student was made of")->required();
  app.add_option("--text", request.texts, "texts to learn from; .jsonl files have a document per line")
      ->required();
  app.add_option("--ctx", request.options.ctx, "window in tokens")->capture_default_str();
  app.add_option("--windows", request.n_windows,
                 "windows to learn from, drawn from the texts; each is a step")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  app.add_option("--seed", request.seed, "which windows of the texts")->capture_default_str();
  app.add_option("--code-rate", request.options.rates.levels,
                 "largest step of the numbers behind the codes, in distances between levels; 0: chosen");
  app.add_option("--scale-rate", request.options.rates.scales,
                 "largest step of scales: how far the outermost level moves, in distances between levels; "
                 "0: chosen");
  app.add_option("--offset-rate", request.options.rates.offsets, "largest step of offsets; 0: chosen");
  app.add_option("--norm-rate", request.options.norm_rate,
                 "largest step of norm weights, as a part of themselves; 0: chosen");
  bool keep_norms = false;
  app.add_flag("--keep-norms", keep_norms, "leave the norms as they are");
  bool keep_ends = false;
  app.add_flag("--keep-ends", keep_ends, "leave the embedding and the output matrix as they are");
  return invocation.run(arguments, [&] {
    request.options.learn_norms = !keep_norms;
    request.options.learn_ends = !keep_ends;
    return run_request(invocation, request);
  });
}

}  // namespace

const Command cmd_distill{"distill", "let a quantized file learn from its original, in the same bytes", run};

}  // namespace kerf::cli

// kerf distill: a quantized file learns to answer as its original does, in the same bytes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>

#include "kerf/calib/texts.h"
#include "kerf/cli/common.h"
#include "kerf/methods/distill.h"
#include "kerf/model/config.h"

namespace kerf::cli {
namespace {

struct Request {
  std::filesystem::path student;
  std::filesystem::path output;
  std::filesystem::path base;
  std::vector<std::string> texts;
  std::uint64_t seed = 0;
  DistillOptions options;
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
  return sample_windows(all, request.options.n_steps * request.options.windows_per_step, request.seed);
}

void report(const Invocation& invocation, const Request& request, const DistillReport& report,
            double seconds) {
  if (invocation.common().json) {
    print_json({{"student", request.student.string()},
                {"base", request.base.string()},
                {"output", request.output.string()},
                {"texts", request.texts},
                {"seed", request.seed},
                {"steps", request.options.n_steps},
                {"tokens", report.n_tokens},
                {"first_loss", report.first_loss},
                {"last_loss", report.last_loss},
                {"learned", report.n_learned},
                {"not_learnable", report.not_learnable},
                {"seconds", seconds},
                {"peak_memory_bytes", peak_memory_bytes()}});
    return;
  }
  fmt::print(
      "wrote {}: {} matrices learned from {} tokens, KL divergence {:.4f} -> {:.4f} nats per token, {}\n",
      request.output.string(), report.n_learned, report.n_tokens, report.first_loss, report.last_loss,
      human_seconds(seconds));
  if (!report.not_learnable.empty() && !invocation.common().quiet)
    fmt::print(stderr, "kerf: left as they are, because codes of their formats cannot learn: {}\n",
               fmt::join(report.not_learnable, ", "));
}

Result<void> run_request(Invocation& invocation, const Request& request) {
  KERF_TRY(const auto student, ModelSource::open(request.student));
  KERF_TRY(const auto base, ModelSource::open(request.base));
  KERF_TRY(const TokenWindows windows, windows_of(*student, request));
  ThreadPool pool(invocation.common().threads);
  const auto begin = std::chrono::steady_clock::now();
  KERF_TRY(const DistillReport result, distill(*base, *student, windows.tokens(), request.options,
                                               request.output, pool, invocation.progress()));
  report(invocation, request, result,
         std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_distill,
                        "kerf distill small.gguf better.gguf --base model.gguf --text wiki.txt --steps 200");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("student", request.student, "a quantized GGUF file")->required();
  app.add_option("output", request.output, "the GGUF file to write: the same types, the same size")
      ->required();
  app.add_option("--base", request.base, "the model that the student was made of")->required();
  app.add_option("--text", request.texts, "texts to learn from; .jsonl files have a document per line")
      ->required();
  app.add_option("--ctx", request.options.ctx, "window in tokens")->capture_default_str();
  app.add_option("--steps", request.options.n_steps, "updates of the weights")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--windows", request.options.windows_per_step, "windows per step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--seed", request.seed, "which windows of the texts")->capture_default_str();
  app.add_option("--code-rate", request.options.rates.levels,
                 "largest step of the numbers behind the codes, in distances between levels")
      ->capture_default_str();
  app.add_option("--scale-rate", request.options.rates.scales,
                 "largest step of scales: how far the outermost level moves, in distances between levels")
      ->capture_default_str();
  app.add_option("--offset-rate", request.options.rates.offsets, "largest step of offsets, likewise")
      ->capture_default_str();
  app.add_option("--norm-rate", request.options.norm_rate,
                 "largest step of norm weights, as a part of themselves; 0 leaves them")
      ->capture_default_str();
  app.add_flag("!--keep-output", request.options.learn_output,
               "leave embedding and output matrix as they are");
  return invocation.run(arguments, [&] { return run_request(invocation, request); });
}

}  // namespace

const Command cmd_distill{"distill", "let a quantized file learn from its original, in the same bytes", run};

}  // namespace kerf::cli

// kerf run: continues a text.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/model/sampler.h"
#include "kerf/text/stop_strings.h"

namespace kerf::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Request {
  std::string model;
  std::string prompt;
  std::string prompt_file;
  std::size_t n_tokens = 256;
  std::size_t ctx = 0;
  bool special = false;
  std::vector<std::string> stop;
  SamplerOptions sampler;
};

/// What came out, and how fast.
struct Outcome {
  std::string text;
  std::vector<TokenId> ids;
  std::size_t n_prompt = 0;
  double prompt_seconds = 0;
  double generate_seconds = 0;
  std::string_view ended_by = "length";
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Text on its way to the terminal: whole characters, nothing of a stop string.
class Output {
 public:
  Output(const Tokenizer& tokenizer, const Request& request, bool print, std::string& text)
      : decoder_(tokenizer, request.special), stop_(request.stop), print_(print), text_(text) {}

  void push(TokenId id) { show(stop_.push(decoder_.push(id))); }
  void finish() {
    show(stop_.push(decoder_.finish()));
    show(stop_.finish());
    if (!print_) return;
    fmt::print("\n");
    std::fflush(stdout);  // before what stderr has to say
  }
  [[nodiscard]] bool stopped() const noexcept { return stop_.stopped(); }

 private:
  void show(const std::string& text) {
    text_ += text;
    if (!print_) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  StreamingDecoder decoder_;
  StopStrings stop_;
  bool print_;
  std::string& text_;
};

/// The prompt's ids, and room for the answer in the model's context.
Result<std::vector<TokenId>> encode_prompt(const Request& request, const Tokenizer& tokenizer,
                                           std::size_t ctx) {
  std::string prompt = request.prompt;
  if (!request.prompt_file.empty()) {
    KERF_TRY(prompt, read_file(request.prompt_file));
  }
  std::vector<TokenId> ids =
      tokenizer.encode(prompt, {.parse_special = request.special, .add_special = true});
  if (ids.empty() && tokenizer.bos() >= 0) ids.push_back(tokenizer.bos());
  if (ids.empty())
    return fail(ErrorKind::usage, "--prompt", "is empty and the vocabulary has no BOS to begin with");
  if (ids.size() >= ctx)
    return fail(ErrorKind::usage, "--prompt",
                fmt::format("has {} tokens, which fill the context of {}; shorten it", ids.size(), ctx));
  return ids;
}

Result<Outcome> generate(Model& model, const Tokenizer& tokenizer, const Request& request,
                         const std::vector<TokenId>& prompt, std::size_t ctx, bool print) {
  Outcome outcome;
  Output output(tokenizer, request, print, outcome.text);
  KERF_TRY(Sampler sampler, Sampler::create(request.sampler));
  for (const TokenId id : prompt) sampler.accept(id);
  const auto cache = model.make_cache(ctx);
  std::vector<float> logits(model.config().n_vocabulary);
  outcome.n_prompt = prompt.size();
  auto begin = Clock::now();
  KERF_CHECK_OK(model.forward(prompt, *cache, 1, logits.data()));
  outcome.prompt_seconds = seconds_since(begin);
  begin = Clock::now();
  while (outcome.ids.size() < request.n_tokens) {
    KERF_TRY(const TokenId id, sampler.sample(logits));
    if (tokenizer.ends_text(id)) outcome.ended_by = "end of text";
    if (interrupted()) outcome.ended_by = "interrupt";
    if (outcome.ended_by != "length") break;
    sampler.accept(id);
    outcome.ids.push_back(id);
    output.push(id);
    if (output.stopped()) outcome.ended_by = "stop string";
    if (outcome.ids.size() == request.n_tokens) break;
    if (prompt.size() + outcome.ids.size() == ctx) outcome.ended_by = "context";
    if (outcome.ended_by != "length") break;
    KERF_CHECK_OK(model.forward(std::span(&id, 1), *cache, 1, logits.data()));
  }
  output.finish();
  outcome.generate_seconds = seconds_since(begin);
  return outcome;
}

void report(const Invocation& invocation, const Request& request, const Outcome& o) {
  const double prompt_rate = static_cast<double>(o.n_prompt) / o.prompt_seconds;
  const double rate = static_cast<double>(o.ids.size()) / o.generate_seconds;
  if (invocation.common().json) {
    print_json({{"model", request.model},
                {"text", o.text},
                {"ids", o.ids},
                {"prompt_tokens", o.n_prompt},
                {"ended_by", o.ended_by},
                {"prefill_tokens_per_s", prompt_rate},
                {"decode_tokens_per_s", rate}});
  } else if (!invocation.common().quiet) {
    fmt::print(stderr, "[{} prompt tokens at {:.0f}/s, {} new ones at {:.0f}/s, ended by {}]\n", o.n_prompt,
               prompt_rate, o.ids.size(), rate, o.ended_by);
  }
}

Result<void> run_model(Invocation& invocation, const Request& request) {
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const LoadedModel loaded, load_model(request.model, pool));
  KERF_TRY(const auto tokenizer, loaded.source->require_tokenizer());
  const std::size_t limit = loaded.model->config().context_length;
  const std::size_t ctx = request.ctx == 0 ? limit : std::min(request.ctx, limit);
  KERF_TRY(const std::vector<TokenId> prompt, encode_prompt(request, *tokenizer, ctx));
  // The cache is as long as the text can become, not as the model could go.
  const std::size_t needed = std::min(ctx, prompt.size() + request.n_tokens);
  KERF_TRY(const Outcome outcome,
           generate(*loaded.model, *tokenizer, request, prompt, needed, !invocation.common().json));
  report(invocation, request, outcome);
  if (outcome.ended_by == "interrupt") return fail(ErrorKind::cancelled, "", "interrupted");
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_run,
                        "kerf run model.gguf -p 'Once upon a time' -n 100 --temperature 0.7 --seed 3");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("model", request.model, "a GGUF file or a Hugging Face folder")->required();
  auto* prompt = app.add_option("-p,--prompt", request.prompt, "the text to continue");
  app.add_option("-f,--file", request.prompt_file, "read the text to continue from this file")
      ->excludes(prompt);
  app.add_option("-n,--tokens", request.n_tokens, "write at most so many tokens");
  app.add_option("--ctx", request.ctx, "context in tokens; 0 is the model's own");
  app.add_flag("--special", request.special,
               "special tokens in the prompt («<|im_start|>») are meant as such");
  app.add_option("--stop", request.stop, "end the text before this string; repeatable")
      ->allow_extra_args(false);
  app.add_option("--temperature", request.sampler.temperature, "0 always takes the most probable token")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--top-k", request.sampler.top_k, "choose among the k most probable tokens; 0 is all");
  app.add_option("--top-p", request.sampler.top_p,
                 "choose among the fewest tokens that make this probability")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-p", request.sampler.min_p,
                 "drop tokens below this part of the best one's probability")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repeat-penalty", request.sampler.repeat_penalty,
                 "above 1: make recent tokens less probable")
      ->check(CLI::Range(0.01, 100.0));
  app.add_option("--repeat-last", request.sampler.repeat_window, "how many tokens are recent");
  app.add_option("--seed", request.sampler.seed, "the same seed gives the same text");
  return invocation.run(arguments, [&] { return run_model(invocation, request); });
}

}  // namespace

const Command cmd_run{"run", "continue a text", run};

}  // namespace kerf::cli

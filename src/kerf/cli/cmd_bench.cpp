// kerf bench: how fast a model reads a prompt and writes text on this machine.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "kerf/base/rng.h"
#include "kerf/cli/common.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/kernels/kernel.h"

namespace kerf::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Request {
  std::string model;
  std::size_t prompt_tokens = 512;
  std::size_t gen_tokens = 64;
  std::size_t repeat = 3;
};

struct Timing {
  std::vector<double> prefill_seconds, decode_seconds;
  double load_seconds = 0;
  std::uint64_t weight_bytes = 0;  // read once per generated token
};

/// Ids without meaning: speed does not depend on them.
std::vector<TokenId> made_up_tokens(std::size_t n, std::size_t n_vocabulary) {
  Rng rng(1);
  std::vector<TokenId> tokens(n);
  for (TokenId& token : tokens) token = static_cast<TokenId>(rng.below(n_vocabulary));
  return tokens;
}

/// Bytes of weights that one token needs: all of them, but only one row of an embedding that is not the
/// output.
std::uint64_t weight_bytes_per_token(const ModelSource& source) {
  const bool tied = source.find("output.weight") == nullptr;
  std::uint64_t bytes = 0;
  for (const SourceTensor& tensor : source.tensors())
    if (tensor.name != "token_embd.weight" || tied)
      bytes += tensor.n_rows() * tensor.format->row_bytes(tensor.row_length());
  return bytes;
}

Result<void> time_once(Model& model, const Request& request, Timing& timing) {
  const std::size_t n_vocabulary = model.config().n_vocabulary;
  const std::vector<TokenId> prompt = made_up_tokens(request.prompt_tokens, n_vocabulary);
  const auto cache = model.make_cache(request.prompt_tokens + request.gen_tokens);
  std::vector<float> logits(n_vocabulary);
  auto begin = Clock::now();
  KERF_CHECK_OK(model.forward(prompt, *cache, 1, logits.data()));
  timing.prefill_seconds.push_back(seconds_since(begin));
  begin = Clock::now();
  for (std::size_t i = 0; i < request.gen_tokens; ++i)
    KERF_CHECK_OK(model.forward(std::span(&prompt[i % prompt.size()], 1), *cache, 1, logits.data()));
  timing.decode_seconds.push_back(seconds_since(begin));
  return {};
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void report(const Invocation& invocation, const Request& request, const Timing& timing, unsigned n_threads) {
  const double prefill = static_cast<double>(request.prompt_tokens) / median(timing.prefill_seconds);
  const double decode = static_cast<double>(request.gen_tokens) / median(timing.decode_seconds);
  const double read = decode * static_cast<double>(timing.weight_bytes) / 1e9;
  if (invocation.common().json) {
    print_json({{"model", request.model},
                {"isa", kernels::active_table().isa},
                {"threads", n_threads},
                {"prompt_tokens", request.prompt_tokens},
                {"gen_tokens", request.gen_tokens},
                {"repeat", request.repeat},
                {"prefill_tokens_per_s", prefill},
                {"decode_tokens_per_s", decode},
                {"read_gb_per_s", read},
                {"load_ms", 1000 * timing.load_seconds},
                {"peak_memory_bytes", peak_memory_bytes()}});
    return;
  }
  fmt::print("prefill   {:>9.1f} tokens/s   ({} tokens, median of {})\n", prefill, request.prompt_tokens,
             request.repeat);
  fmt::print("decode    {:>9.1f} tokens/s   ({} tokens, {:.1f} GB/s of weights read)\n", decode,
             request.gen_tokens, read);
  fmt::print("load      {:>9.1f} ms\n", 1000 * timing.load_seconds);
  fmt::print("memory    {:>9} at most\n", human_bytes(static_cast<double>(peak_memory_bytes())));
  fmt::print("with {} threads, {} kernels\n", n_threads, kernels::active_table().isa);
}

Result<void> bench(Invocation& invocation, const Request& request) {
  ThreadPool pool(invocation.common().threads);
  Timing timing;
  const auto begin = Clock::now();
  KERF_TRY(const LoadedModel loaded, load_model(request.model, pool));
  timing.load_seconds = seconds_since(begin);
  timing.weight_bytes = weight_bytes_per_token(*loaded.source);
  const std::size_t needed = request.prompt_tokens + request.gen_tokens;
  if (needed > loaded.model->config().context_length)
    return fail(ErrorKind::usage, request.model,
                fmt::format("has a context of {} tokens, {} are asked for",
                            loaded.model->config().context_length, needed));
  Progress& progress = invocation.progress();
  progress.start("timing", request.repeat + 1, "rounds");
  for (std::size_t round = 0; round <= request.repeat; ++round) {
    KERF_CHECK_OK(time_once(*loaded.model, request, timing));
    if (round == 0) {  // warmed up the caches and the page table
      timing.prefill_seconds.clear();
      timing.decode_seconds.clear();
    }
    progress.advance(round + 1, "");
    if (progress.cancelled()) return fail(ErrorKind::cancelled, "", "interrupted");
  }
  progress.finish();
  report(invocation, request, timing, pool.size());
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_bench, "kerf bench model.gguf --prompt-tokens 512 --gen-tokens 64");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("model", request.model, "a GGUF file or a Hugging Face folder")->required();
  app.add_option("--prompt-tokens", request.prompt_tokens, "length of the prompt")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--gen-tokens", request.gen_tokens, "tokens to generate")->check(CLI::Range(1, 1 << 20));
  app.add_option("--repeat", request.repeat, "counted rounds, after one to warm up")
      ->check(CLI::Range(1, 1000));
  return invocation.run(arguments, [&] { return bench(invocation, request); });
}

}  // namespace

const Command cmd_bench{"bench", "time reading a prompt and generating text", run};

}  // namespace kerf::cli

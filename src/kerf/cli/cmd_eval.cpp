// kerf eval: perplexity of a text, and the distance to a base model.
#include <fmt/format.h>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/eval/evaluate.h"

namespace kerf::cli {
namespace {

struct Request {
  std::string model, base, text;
  std::string protocol = "llamacpp";
  EvalOptions options;
};

nlohmann::json as_json(const Request& request, const EvalResult& r) {
  nlohmann::json json = {{"model", request.model},
                         {"text", request.text},
                         {"protocol", request.protocol},
                         {"ctx", r.ctx},
                         {"windows", r.n_windows},
                         {"perplexity", r.perplexity},
                         {"perplexity_se", r.perplexity_se},
                         {"nll_mean", r.nll_mean},
                         {"bits_per_byte", r.bits_per_byte},
                         {"tokens_scored", r.tokens_scored},
                         {"seconds", r.seconds},
                         {"peak_memory_bytes", peak_memory_bytes()}};
  if (!r.comparison) return json;
  const Comparison& c = *r.comparison;
  json.update({{"base", request.base},
               {"perplexity_base", c.perplexity_base},
               {"perplexity_ratio", c.perplexity_ratio},
               {"perplexity_ratio_se", c.perplexity_ratio_se},
               {"kld_mean", c.kld_mean},
               {"kld_se", c.kld_se},
               {"kld_median", c.kld_median},
               {"kld_p90", c.kld_p90},
               {"kld_p95", c.kld_p95},
               {"kld_p99", c.kld_p99},
               {"kld_p999", c.kld_p999},
               {"kld_max", c.kld_max},
               {"same_top_percent", c.same_top_percent},
               {"same_top_percent_se", c.same_top_percent_se},
               {"delta_p_mean", c.delta_p_mean},
               {"delta_p_rms", c.delta_p_rms}});
  return json;
}

void print_comparison(const Comparison& c) {
  fmt::print("perplexity of base   {:.4f}, ratio {:.5f} ± {:.5f}\n", c.perplexity_base, c.perplexity_ratio,
             c.perplexity_ratio_se);
  fmt::print("KL divergence        {:.6f} ± {:.6f} nats per token\n", c.kld_mean, c.kld_se);
  fmt::print("  median {:.6f}   90 % {:.5f}   95 % {:.5f}   99 % {:.5f}   99.9 % {:.4f}   max {:.4f}\n",
             c.kld_median, c.kld_p90, c.kld_p95, c.kld_p99, c.kld_p999, c.kld_max);
  fmt::print("same top token       {:.3f} ± {:.3f} %\n", c.same_top_percent, c.same_top_percent_se);
  fmt::print("Δp of the next token {:+.3f} % mean, {:.3f} % RMS\n", c.delta_p_mean, c.delta_p_rms);
}

void print_report(const Request& request, const EvalResult& r) {
  fmt::print("perplexity           {:.4f} ± {:.4f}   (protocol {}, ctx {}, {} windows, {} tokens scored)\n",
             r.perplexity, r.perplexity_se, request.protocol, r.ctx, r.n_windows, r.tokens_scored);
  fmt::print("bits per byte        {:.4f}\n", r.bits_per_byte);
  if (r.comparison) print_comparison(*r.comparison);
  fmt::print("time                 {}\n", human_seconds(r.seconds));
}

Result<void> evaluate_request(Invocation& invocation, Request& request) {
  request.options.protocol = request.protocol == "papers" ? Protocol::papers : Protocol::llamacpp;
  KERF_TRY(const std::string text, read_file(request.text));
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const LoadedModel loaded, load_model(request.model, pool));
  LoadedModel base;
  if (!request.base.empty()) {
    KERF_TRY(base, load_model(request.base, pool));
  }
  KERF_TRY(const auto tokenizer, loaded.source->require_tokenizer());
  KERF_TRY(const EvalResult result, evaluate(*loaded.model, base.model.get(), *tokenizer, text,
                                             request.options, pool, invocation.progress()));
  invocation.common().json ? print_json(as_json(request, result)) : print_report(request, result);
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_eval,
                        "kerf eval small.gguf --base model.gguf --text wikitext2-test.txt --chunks 20");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("model", request.model, "the model to judge: a GGUF file or a Hugging Face folder")
      ->required();
  app.add_option("--text", request.text, "the text to predict")->required();
  app.add_option("--base", request.base, "run this model beside it and report the divergence from it");
  app.add_option("--protocol", request.protocol,
                 "llamacpp: ctx 512, second half scored; papers: ctx 2048, all but the first token scored")
      ->check(CLI::IsMember({"llamacpp", "papers"}));
  app.add_option("--ctx", request.options.ctx, "window in tokens; 0 is the protocol's own");
  app.add_option("--chunks", request.options.n_chunks, "score only the first windows; 0 is all");
  return invocation.run(arguments, [&] { return evaluate_request(invocation, request); });
}

}  // namespace

const Command cmd_eval{"eval", "measure perplexity and the divergence from a base model", run};

}  // namespace kerf::cli

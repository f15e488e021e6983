// kerf eval: perplexity of a text, and the distance to a base model.
#include <fmt/format.h>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/eval_json.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/eval/evaluate.h"
#include "kerf/model/quantized_engine.h"

namespace kerf::cli {
namespace {

/// What is simulated of quantized activations, if anything.
struct ActivationRequest {
  std::string spec, calibration;
  std::string weights = "file";
  std::string range = "min-max";
  float outlier_threshold = 6.0F;
  double outlier_share = 0;  ///< what came out, of llm-int8
};

struct Request {
  std::string model, base, text;
  std::string protocol = "llamacpp";
  EvalOptions options;
  ActivationRequest activations;
};

nlohmann::json as_json(const Request& request, const EvalResult& r) {
  nlohmann::json json = eval_as_json(r);
  json.update({{"model", request.model},
               {"text", request.text},
               {"protocol", request.protocol},
               {"peak_memory_bytes", peak_memory_bytes()}});
  if (r.comparison) json["base"] = request.base;
  if (const ActivationRequest& a = request.activations; !a.spec.empty()) {
    json["activations"] = {{"spec", a.spec}, {"weights", a.weights}};
    if (!a.calibration.empty())
      json["activations"].update({{"calibration", a.calibration}, {"range", a.range}});
    if (a.spec == "llm-int8")
      json["activations"].update(
          {{"outlier_threshold", a.outlier_threshold}, {"outlier_column_share", a.outlier_share}});
  }
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
  if (const ActivationRequest& a = request.activations; !a.spec.empty()) {
    fmt::print("activations          {}, weights {}{}\n", a.spec, a.weights,
               a.calibration.empty() ? "" : fmt::format(", ranges by {} from {}", a.range, a.calibration));
    if (a.spec == "llm-int8")
      fmt::print("outlier columns      {:.3f} % (|x| of {} or more)\n", 100 * a.outlier_share,
                 a.outlier_threshold);
  }
  fmt::print("time                 {}\n", human_seconds(r.seconds));
}

/// Nothing if activations stay as they are.
Result<std::unique_ptr<QuantizedEngine>> make_engine(const ActivationRequest& request) {
  if (request.spec.empty()) {
    if (request.weights != "file" || !request.calibration.empty())
      return fail(ErrorKind::usage, "--activations",
                  "--weights and --calibration belong to it; name a type such as int8:token");
    return nullptr;
  }
  KERF_TRY(ActivationSpec spec, parse_activation_spec(request.spec));
  KERF_TRY(const auto weights, parse_weight_spec(request.weights));
  spec.outlier_threshold = request.outlier_threshold;
  const bool fixed = spec.scope == ActivationSpec::Scope::fixed;
  if (fixed == request.calibration.empty())
    return fail(ErrorKind::usage, "--calibration",
                fixed ? "static ranges come from a file that «kerf calibrate --state» wrote; name it"
                      : "only static activations read it");
  StaticRanges ranges;
  if (fixed) {
    KERF_TRY(const Calibration calibration, Calibration::load(request.calibration));
    KERF_TRY(ranges, static_ranges(calibration, request.range, spec.code));
  }
  return std::make_unique<QuantizedEngine>(spec, weights, std::move(ranges));
}

Result<void> evaluate_request(Invocation& invocation, Request& request) {
  request.options.protocol = request.protocol == "papers" ? Protocol::papers : Protocol::llamacpp;
  KERF_TRY(const auto engine, make_engine(request.activations));
  KERF_TRY(const std::string text, read_file(request.text));
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const LoadedModel loaded, load_model(request.model, pool));
  LoadedModel base;
  if (!request.base.empty()) {
    KERF_TRY(base, load_model(request.base, pool));
  }
  KERF_TRY(const auto tokenizer, loaded.source->require_tokenizer());
  if (engine != nullptr && loaded.model->config().n_experts > 0)
    return fail(ErrorKind::unsupported, request.model, "--activations does not reach into experts");
  loaded.model->set_engine(engine.get());
  const auto evaluated = evaluate(*loaded.model, base.model.get(), *tokenizer, text, request.options, pool,
                                  invocation.progress());
  if (engine != nullptr) {
    KERF_CHECK_OK(engine->status());  // says why logits are not finite
    request.activations.outlier_share = engine->outlier_share();
  }
  KERF_TRY(const EvalResult result, evaluated);
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
  ActivationRequest& activations = request.activations;
  app.add_option("--activations", activations.spec,
                 "simulate quantized inputs of the blocks' weights: TYPE:SCOPE with TYPE int8, uint8, int4, "
                 "uint4, fp8-e4m3 and SCOPE token, tensor, static, group:N; or llm-int8");
  app.add_option("--weights", activations.weights,
                 "the other side of the product: the file's integers, or int8:row, int4:row, fp8-e4m3:row")
      ->capture_default_str();
  app.add_option("--calibration", activations.calibration,
                 "where static ranges come from: written by kerf calibrate --state");
  app.add_option("--range", activations.range,
                 "rule for static ranges: min-max, moving-average, percentile, entropy, mse")
      ->capture_default_str();
  app.add_option("--outlier-threshold", activations.outlier_threshold,
                 "of llm-int8: columns that reach it are not quantized")
      ->capture_default_str();
  return invocation.run(arguments, [&] { return evaluate_request(invocation, request); });
}

}  // namespace

const Command cmd_eval{"eval", "measure perplexity and the divergence from a base model", run};

}  // namespace kerf::cli

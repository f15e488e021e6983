// kerf memory: how much memory a model takes, to run it and to train it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kerf/cli/common.h"
#include "kerf/footprint/footprint.h"
#include "kerf/formats/format.h"

namespace kerf::cli {
namespace {

struct Options {
  std::string model, params, mode = "inference", type, embedding_type, kv_type = "F16", optimizer = "adam32",
                             targets = "all";
  GroupOverhead overhead;
  LlamaSizes sizes{};
  FootprintRequest request;
  bool no_checkpointing = false;
};

constexpr std::uint64_t kUsualContext = 4096;
constexpr std::uint64_t kUsualTrainingContext = 512;
/// Rows of the tables.
constexpr const char* kWeightTypes[] = {"F32",  "BF16", "Q8_0", "Q6_K", "Q5_K",
                                        "Q4_K", "Q3_K", "Q2_K", "TQ2_0"};
constexpr const char* kBitWidths[] = {"8", "4", "3", "2", "1"};
constexpr const char* kKvTypes[] = {"F32", "F16", "Q8_0", "Q4_0", "2"};
constexpr std::uint64_t kContexts[] = {1024, 4096, 16384, 65536, 131072};

/// «70e9», «70B», «135M».
Result<double> parse_count(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  double factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "K" || unit == "k") factor = 1e3;
  if (unit == "M" || unit == "m") factor = 1e6;
  if (unit == "B" || unit == "b" || unit == "G") factor = 1e9;
  if (unit == "T" || unit == "t") factor = 1e12;
  if (error != std::errc() || factor == 0 || !(value * factor >= 1) || value * factor > 1e16)
    return fail(ErrorKind::usage, "--params",
                fmt::format("«{}» is not a number of parameters; write 70e9, 70B or 135M", text));
  return value * factor;
}

struct Subject {
  ModelShape shape;
  double n_parameters = 0;  ///< 0: those of the shape
  bool assumed = false;     ///< the shape is a guess
};

Result<Subject> find_subject(const Options& options) {
  Subject subject;
  const bool own_sizes = options.sizes.n_layers != 0;
  if (options.model.empty() && options.params.empty() && !own_sizes)
    return fail(ErrorKind::usage, {},
                "which model? Give a file, a folder, a published name (" + published_names() +
                    "), --params 70e9, or --layers and the other sizes");
  if (!options.model.empty() && (!options.params.empty() || own_sizes))
    return fail(ErrorKind::usage, options.model, "has its own sizes; leave --params and --layers out");
  if (!options.params.empty()) {
    KERF_TRY(subject.n_parameters, parse_count(options.params));
  }
  if (own_sizes) {
    LlamaSizes sizes = options.sizes;
    if (sizes.n_kv_heads == 0) sizes.n_kv_heads = sizes.n_heads;
    if (sizes.head_width == 0 && sizes.n_heads != 0) sizes.head_width = sizes.width / sizes.n_heads;
    KERF_TRY(subject.shape, shape_of_llama("the given sizes", sizes));
  } else if (!options.model.empty()) {
    KERF_TRY(subject.shape, find_shape(options.model));
  } else {
    subject.shape = nearest_published_shape(subject.n_parameters);
    subject.assumed = true;
  }
  return subject;
}

Mode mode_of(const std::string& name) {
  if (name == "full") return Mode::full;
  if (name == "lora") return Mode::lora;
  return name == "qlora" ? Mode::qlora : Mode::inference;
}

Result<FootprintRequest> make_request(const Options& options, const Subject& subject) {
  FootprintRequest request = options.request;
  request.mode = mode_of(options.mode);
  const bool inference = request.mode == Mode::inference;
  std::string type = options.type;
  if (type.empty()) {
    request.as_stored = inference && subject.shape.stored_bytes.has_value();
    type = request.mode == Mode::qlora ? "nf4-dq" : "BF16";
  }
  KERF_TRY(request.linear, storage_cost(type, options.overhead));
  // Fine-tuning leaves the embedding in 16 bits; to run a model, everything is cut.
  const std::string rest = !options.embedding_type.empty() ? options.embedding_type : "BF16";
  KERF_TRY(request.embedding, inference && options.embedding_type.empty()
                                  ? storage_cost(type, options.overhead)
                                  : storage_cost(rest));
  KERF_TRY(request.kv, storage_cost(options.kv_type));
  request.n_parameters = subject.n_parameters;
  if (request.context == 0) request.context = inference ? kUsualContext : kUsualTrainingContext;
  const std::pair<const char*, Optimizer> optimizers[] = {{"adam32", Optimizer::adam32},
                                                          {"adam8", Optimizer::adam8},
                                                          {"momentum", Optimizer::momentum},
                                                          {"sgd", Optimizer::sgd}};
  for (const auto& [name, optimizer] : optimizers)
    if (options.optimizer == name) request.optimizer = optimizer;
  if (options.targets == "attention") request.targets = LoraTargets::attention;
  if (options.targets == "qv") request.targets = LoraTargets::qv;
  request.checkpointing = !options.no_checkpointing;
  return request;
}

std::string shape_text(const Subject& subject) {
  const ModelShape& shape = subject.shape;
  const double n =
      subject.n_parameters != 0 ? subject.n_parameters : static_cast<double>(shape.n_parameters());
  std::string out = n >= 1e9   ? fmt::format("{:.4g} billion parameters", n / 1e9)
                    : n >= 1e6 ? fmt::format("{:.4g} million parameters", n / 1e6)
                               : fmt::format("{:.0f} parameters", n);
  out += fmt::format(", {}{}: {} layers, width {}, feed-forward {}, {} heads",
                     subject.assumed ? "sizes as in " : "", shape.name, shape.n_layers, shape.width,
                     shape.ffn_width, shape.n_heads);
  if (shape.n_kv_heads != shape.n_heads) out += fmt::format(" ({} of keys and values)", shape.n_kv_heads);
  out += fmt::format(" of {}, vocabulary {}", shape.head_width, shape.n_vocabulary);
  return out;
}

void print_term(const Term& term) {
  fmt::print("  {:<19} {:>9}  {}\n", term.name, human_bytes(term.bytes), term.formula);
}

void print_footprint(const Footprint& footprint) {
  for (const Term& term : footprint.terms) print_term(term);
  fmt::print("  {:<19} {:>9}\n", "total", human_bytes(footprint.total()));
  if (footprint.moments.empty()) return;
  fmt::print("on top, for moments:\n");
  for (const Term& moment : footprint.moments) print_term(moment);
}

double n_parameters(const Subject& subject) {
  return subject.n_parameters != 0 ? subject.n_parameters : static_cast<double>(subject.shape.n_parameters());
}

/// Every weight in one type, for comparison.
Result<std::vector<StorageCost>> weight_costs() {
  std::vector<StorageCost> out;
  for (const char* type : kWeightTypes) {
    KERF_TRY(StorageCost cost, storage_cost(type));
    out.push_back(std::move(cost));
  }
  for (const char* bits : kBitWidths) {
    KERF_TRY(StorageCost cost, storage_cost(bits));
    out.push_back(std::move(cost));
  }
  KERF_TRY(StorageCost grouped, storage_cost("4", {.bits = 20, .group = 128}));
  out.push_back(std::move(grouped));
  std::ranges::stable_sort(out, [](const StorageCost& a, const StorageCost& b) { return a.bits > b.bits; });
  return out;
}

Result<void> print_tables(const Subject& subject) {
  KERF_TRY(const std::vector<StorageCost> costs, weight_costs());
  fmt::print("\nall weights in one type:\n");
  for (const StorageCost& cost : costs)
    fmt::print("  {:<24} {:>8.4g} bits {:>10}\n", cost.name, cost.bits,
               human_bytes(n_parameters(subject) * cost.bits / 8));
  fmt::print("\nkeys and values of one sequence:\n  {:<10}", "tokens");
  for (const char* type : kKvTypes) {
    KERF_TRY(const StorageCost cost, storage_cost(type));
    fmt::print(" {:>10}", cost.name);
  }
  fmt::print("\n");
  for (const std::uint64_t context : kContexts) {
    fmt::print("  {:<10}", context);
    for (const char* type : kKvTypes) {
      KERF_TRY(const StorageCost cost, storage_cost(type));
      fmt::print(" {:>10}", human_bytes(kv_bytes(subject.shape, context, cost.bits)));
    }
    fmt::print("\n");
  }
  return {};
}

nlohmann::json terms_json(const std::vector<Term>& terms) {
  auto out = nlohmann::json::array();
  for (const Term& term : terms)
    out.push_back({{"name", term.name}, {"bytes", term.bytes}, {"formula", term.formula}});
  return out;
}

Result<nlohmann::json> as_json(const Subject& subject, const FootprintRequest& request,
                               const Footprint& footprint, const std::string& mode) {
  const ModelShape& shape = subject.shape;
  auto weights = nlohmann::json::array();
  KERF_TRY(const std::vector<StorageCost> costs, weight_costs());
  for (const StorageCost& cost : costs)
    weights.push_back(
        {{"type", cost.name}, {"bits", cost.bits}, {"bytes", n_parameters(subject) * cost.bits / 8}});
  auto kv = nlohmann::json::array();
  for (const std::uint64_t context : kContexts)
    for (const char* type : kKvTypes) {
      KERF_TRY(const StorageCost cost, storage_cost(type));
      kv.push_back(
          {{"tokens", context}, {"type", cost.name}, {"bytes", kv_bytes(shape, context, cost.bits)}});
    }
  return nlohmann::json{
      {"model", shape.name},
      {"shape_assumed", subject.assumed},
      {"parameters", n_parameters(subject)},
      {"layers", shape.n_layers},
      {"width", shape.width},
      {"mode", mode},
      {"type", request.as_stored ? "as stored" : request.linear.name},
      {"bits_per_weight", request.as_stored
                              ? 8.0 * static_cast<double>(*shape.stored_bytes) / n_parameters(subject)
                              : request.linear.bits},
      {"context", request.context},
      {"batch", request.batch},
      {"terms", terms_json(footprint.terms)},
      {"moments", terms_json(footprint.moments)},
      {"total_bytes", footprint.total()},
      {"weights_by_type", weights},
      {"kv_by_context", kv}};
}

Result<void> report(const Options& options, bool json) {
  KERF_TRY(const Subject subject, find_subject(options));
  KERF_TRY(const FootprintRequest request, make_request(options, subject));
  KERF_TRY(const Footprint footprint, footprint_of(subject.shape, request));
  if (json) {
    KERF_TRY(const nlohmann::json out, as_json(subject, request, footprint, options.mode));
    print_json(out);
    return {};
  }
  fmt::print("{}\n", shape_text(subject));
  constexpr std::string_view kTitles[] = {"inference", "full training", "LoRA", "QLoRA"};
  fmt::print("{}, weights in {}:\n", kTitles[static_cast<std::size_t>(request.mode)],
             request.as_stored ? "their own types" : request.linear.name);
  print_footprint(footprint);
  return request.mode == Mode::inference ? print_tables(subject) : Result<void>{};
}

void add_size_options(CLI::App& app, LlamaSizes& sizes) {
  app.add_option("--layers", sizes.n_layers, "sizes of a model of the Llama kind that is not at hand");
  app.add_option("--width", sizes.width, "C");
  app.add_option("--ffn", sizes.ffn_width, "width of the feed-forward network");
  app.add_option("--heads", sizes.n_heads, "H");
  app.add_option("--kv-heads", sizes.n_kv_heads, "heads of keys and values; otherwise H");
  app.add_option("--vocab", sizes.n_vocabulary, "V");
  app.add_flag("--tied", sizes.tied, "the output head is the embedding");
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_memory, "kerf memory llama-65b --mode qlora --rank 64");
  Options options;
  options.request.context = 0;
  CLI::App& app = invocation.app();
  app.add_option("MODEL", options.model, "GGUF file, Hugging Face folder, config.json, or a published name");
  app.add_option("--params", options.params, "number of parameters instead of a model: 70e9, 70B");
  app.add_option("--mode", options.mode, "what is done with it")
      ->check(CLI::IsMember({"inference", "full", "lora", "qlora"}));
  app.add_option(
      "--type", options.type,
      "of the weights: a format (see «kerf formats»), nf4-dq, or bits per weight; otherwise as stored, "
      "BF16, for qlora nf4-dq");
  app.add_option("--group", options.overhead.group, "with a number of bits: weights that share a scale");
  app.add_option("--scale-bits", options.overhead.bits, "bits of scale and zero point per group");
  app.add_option("--embedding-type", options.embedding_type,
                 "of embedding, output head and norms; otherwise the type, when training BF16");
  app.add_option("--context", options.request.context,
                 "tokens per sequence; otherwise 4096, when training 512");
  app.add_option("--batch", options.request.batch, "sequences");
  app.add_option("--kv-type", options.kv_type, "of keys and values: a format or bits");
  app.add_option("--chunk", options.request.chunk, "tokens that inference takes at a time");
  app.add_option("--optimizer", options.optimizer, "what is remembered per trained parameter")
      ->check(CLI::IsMember({"adam32", "adam8", "momentum", "sgd"}));
  app.add_option("--rank", options.request.rank, "of LoRA adapters");
  app.add_option("--targets", options.targets, "linear layers with adapters")
      ->check(CLI::IsMember({"all", "attention", "qv"}));
  app.add_flag("--master-weights", options.request.master_weights, "binary32 copies of the trained weights");
  app.add_flag("--no-checkpointing", options.no_checkpointing,
               "keep all activations instead of computing them again");
  add_size_options(app, options.sizes);
  return invocation.run(arguments, [&] { return report(options, invocation.common().json); });
}

}  // namespace

const Command cmd_memory{"memory", "count the memory that a model takes to run and to train", run};

}  // namespace kerf::cli

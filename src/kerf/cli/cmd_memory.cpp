// kerf memory: how much memory a model takes, to run it and to train it.
#include <fmt/format.h>

#include <algorithm>

#include "kerf/cli/common.h"
#include "kerf/cli/memory_request.h"

namespace kerf::cli {
namespace {

/// Rows of the tables.
constexpr const char* kWeightTypes[] = {"F32",  "BF16", "Q8_0", "Q6_K", "Q5_K",
                                        "Q4_K", "Q3_K", "Q2_K", "TQ2_0"};
constexpr const char* kBitWidths[] = {"8", "4", "3", "2", "1"};
constexpr const char* kKvTypes[] = {"F32", "F16", "Q8_0", "Q4_0", "2"};
constexpr std::uint64_t kContexts[] = {1024, 4096, 16384, 65536, 131072};

std::string shape_text(const MemorySubject& subject) {
  const ModelShape& shape = subject.shape;
  const double n = subject.n_parameters;
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

Result<void> print_tables(const MemorySubject& subject) {
  KERF_TRY(const std::vector<StorageCost> costs, weight_costs());
  fmt::print("\nall weights in one type:\n");
  for (const StorageCost& cost : costs)
    fmt::print("  {:<24} {:>8.4g} bits {:>10}\n", cost.name, cost.bits,
               human_bytes(subject.n_parameters * cost.bits / 8));
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

std::string type_name(const MemoryOptions& options, const FootprintRequest& request) {
  if (!request.weights) return request.linear.name;
  return options.type.empty() ? "their own types" : options.type;
}

/// Of everything that is frozen or run; these terms come first.
double weight_bits(const MemorySubject& subject, const Footprint& footprint) {
  double bytes = 0;
  for (const Term& term : footprint.terms)
    if (term.name == "weights" || term.name == "linear layers" || term.name == "embedding, norms")
      bytes += term.bytes;
  return 8 * bytes / subject.n_parameters;
}

void print_misfits(const MemorySubject& subject, const FootprintRequest& request) {
  if (request.weights || subject.count_given || request.linear.format == nullptr) return;
  const std::uint64_t n = n_misfits(subject.shape, *request.linear.format);
  if (n == 0) return;
  fmt::print("  {} matrices have rows that {}'s blocks of {} do not divide; they would take a larger type\n",
             n, request.linear.name, request.linear.format->block_size);
}

nlohmann::json terms_json(const std::vector<Term>& terms) {
  auto out = nlohmann::json::array();
  for (const Term& term : terms)
    out.push_back({{"name", term.name}, {"bytes", term.bytes}, {"formula", term.formula}});
  return out;
}

Result<nlohmann::json> as_json(const MemorySubject& subject, const FootprintRequest& request,
                               const Footprint& footprint, const MemoryOptions& options) {
  const ModelShape& shape = subject.shape;
  auto weights = nlohmann::json::array();
  KERF_TRY(const std::vector<StorageCost> costs, weight_costs());
  for (const StorageCost& cost : costs)
    weights.push_back(
        {{"type", cost.name}, {"bits", cost.bits}, {"bytes", subject.n_parameters * cost.bits / 8}});
  auto kv = nlohmann::json::array();
  for (const std::uint64_t context : kContexts)
    for (const char* type : kKvTypes) {
      KERF_TRY(const StorageCost cost, storage_cost(type));
      kv.push_back(
          {{"tokens", context}, {"type", cost.name}, {"bytes", kv_bytes(shape, context, cost.bits)}});
    }
  return nlohmann::json{{"model", shape.name},
                        {"shape_assumed", subject.assumed},
                        {"parameters", subject.n_parameters},
                        {"layers", shape.n_layers},
                        {"width", shape.width},
                        {"mode", options.mode},
                        {"type", type_name(options, request)},
                        {"bits_per_weight", weight_bits(subject, footprint)},
                        {"context", request.context},
                        {"batch", request.batch},
                        {"terms", terms_json(footprint.terms)},
                        {"moments", terms_json(footprint.moments)},
                        {"total_bytes", footprint.total()},
                        {"weights_by_type", weights},
                        {"kv_by_context", kv}};
}

Result<void> report(const MemoryOptions& options, bool json) {
  KERF_TRY(const MemorySubject subject, find_subject(options));
  KERF_TRY(const FootprintRequest request, make_request(options, subject));
  KERF_TRY(const Footprint footprint, footprint_of(subject.shape, request));
  if (json) {
    KERF_TRY(const nlohmann::json out, as_json(subject, request, footprint, options));
    print_json(out);
    return {};
  }
  fmt::print("{}\n", shape_text(subject));
  constexpr std::string_view kTitles[] = {"inference", "full training", "LoRA", "QLoRA"};
  fmt::print("{}, weights in {}:\n", kTitles[static_cast<std::size_t>(request.mode)],
             type_name(options, request));
  print_footprint(footprint);
  print_misfits(subject, request);
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
  MemoryOptions options;
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

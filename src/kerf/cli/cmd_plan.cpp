// kerf plan: which format for each tensor, so that the file has a given size and loses least.
#include <fmt/format.h>

#include <map>

#include "kerf/base/file.h"
#include "kerf/cli/budget_request.h"
#include "kerf/methods/budget.h"
#include "kerf/methods/quantize_model.h"

namespace kerf::cli {
namespace {

struct Request {
  std::filesystem::path model;
  std::filesystem::path importance;
  std::filesystem::path recipe;
  std::size_t n_curve = 0;
  BudgetRequest budget;
};

double n_parameters(const ModelSource& source) {
  double n = 0;
  for (const SourceTensor& tensor : source.tensors()) n += static_cast<double>(tensor.n_elements());
  return n;
}

/// «blk.*.attn_q»: tensors of one kind share a line.
std::string kind_of(std::string_view name) {
  if (name.ends_with(".weight")) name.remove_suffix(7);
  if (!name.starts_with("blk.")) return std::string(name);
  return "blk.*" + std::string(name.substr(std::min(name.size(), name.find('.', 4))));
}

struct Planned {
  const ModelSource& source;
  const std::vector<TensorCosts>& costs;
  const BudgetPlan& plan;
};

/// A line per kind of tensor: its formats, its bits, its part of the loss.
void print_table(const Planned& planned) {
  struct Kind {
    std::map<std::string_view, std::size_t> formats;
    std::uint64_t numbers = 0, bytes = 0;
    double loss = 0;
  };
  std::map<std::string, Kind> kinds;
  for (std::size_t k = 0; k < planned.costs.size(); ++k) {
    const SourceTensor& tensor = planned.source.tensors()[planned.costs[k].tensor];
    Kind& kind = kinds[kind_of(tensor.name)];
    ++kind.formats[planned.plan.formats[k]->name];
    kind.numbers += tensor.n_elements();
    kind.bytes += planned.plan.options[k].bytes;
    kind.loss += planned.plan.options[k].loss;
  }
  fmt::print("{:<22} {:>10} {:>6} {:>10}  {}\n", "tensors", "bytes", "bits", "loss", "formats");
  for (const auto& [name, kind] : kinds) {
    std::string formats;
    for (const auto& [format, count] : kind.formats) formats += fmt::format(" {}×{}", count, format);
    fmt::print("{:<22} {:>10} {:>6.3f} {:>10.5f} {}\n", name, human_bytes(static_cast<double>(kind.bytes)),
               8.0 * static_cast<double>(kind.bytes) / static_cast<double>(kind.numbers), kind.loss, formats);
  }
}

nlohmann::json as_json(const Planned& planned) {
  auto tensors = nlohmann::json::array();
  for (std::size_t k = 0; k < planned.costs.size(); ++k) {
    const SourceTensor& tensor = planned.source.tensors()[planned.costs[k].tensor];
    tensors.push_back({{"name", tensor.name},
                       {"format", planned.plan.formats[k]->name},
                       {"bytes", planned.plan.options[k].bytes},
                       {"loss", planned.plan.options[k].loss}});
  }
  return {{"file_bytes", planned.plan.file_bytes},
          {"loss", planned.plan.loss},
          {"lower_bound", planned.plan.lower_bound},
          {"tensors", std::move(tensors)}};
}

class Planner {
 public:
  Planner(Invocation& invocation, const Request& request) : invocation_(invocation), request_(request) {}

  Result<void> run() {
    KERF_TRY(source_, ModelSource::open(request_.model));
    KERF_TRY(const ImportanceMatrix importance, read_importance(request_.importance));
    KERF_TRY(at_least_, request_.budget.floors());
    ThreadPool pool(invocation_.common().threads);
    KERF_TRY(const QuantizePlan kept, plan_quantization(*source_, {.type = "keep"}, KERF_VERSION));
    metadata_ = kept.metadata;
    KERF_TRY(costs_,
             measure_costs(*source_, importance, request_.budget.costs, pool, invocation_.progress()));
    return request_.n_curve > 0 ? curve() : one_plan();
  }

 private:
  Result<void> one_plan() {
    KERF_TRY(const std::uint64_t target, request_.budget.target_bytes(*source_));
    KERF_TRY(const BudgetPlan plan, plan_budget(*source_, metadata_, costs_, target, at_least_));
    if (!request_.recipe.empty()) {
      const std::string comment = fmt::format("{}: {} bytes, expected loss {:.5f}",
                                              request_.model.filename().string(), plan.file_bytes, plan.loss);
      KERF_CHECK_OK(write_file(request_.recipe, recipe_text(rules_of(*source_, costs_, plan), comment)));
    }
    const Planned planned{*source_, costs_, plan};
    if (invocation_.common().json) {
      print_json(as_json(planned));
      return {};
    }
    print_table(planned);
    fmt::print("\n{} bytes of {}, expected loss {:.5f} (no choice of these formats is below {:.5f})\n",
               plan.file_bytes, target, plan.loss, plan.lower_bound);
    return {};
  }

  /// Plans at sizes evenly spread, in proportion, from the smallest file to the largest.
  Result<void> curve() {
    const BudgetRange range = budget_range(*source_, metadata_, costs_);
    auto points = nlohmann::json::array();
    const double ratio = static_cast<double>(range.largest) / static_cast<double>(range.smallest);
    const double n = n_parameters(*source_);
    if (!invocation_.common().json) fmt::print("{:>12} {:>7} {:>12}\n", "bytes", "bits", "loss");
    for (std::size_t i = 0; i < request_.n_curve; ++i) {
      const double part =
          static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(1, request_.n_curve - 1));
      const auto target =
          static_cast<std::uint64_t>(static_cast<double>(range.smallest) * std::pow(ratio, part) + 4096);
      KERF_TRY(const BudgetPlan plan, plan_budget(*source_, metadata_, costs_, target, at_least_));
      const double bits = 8.0 * static_cast<double>(plan.file_bytes) / n;
      points.push_back({{"file_bytes", plan.file_bytes}, {"bpw", bits}, {"loss", plan.loss}});
      if (!invocation_.common().json)
        fmt::print("{:>12} {:>7.3f} {:>12.6f}\n", plan.file_bytes, bits, plan.loss);
    }
    if (invocation_.common().json) print_json({{"points", std::move(points)}});
    return {};
  }

  Invocation& invocation_;
  const Request& request_;
  std::shared_ptr<const ModelSource> source_;
  RecipeRules at_least_;
  Metadata metadata_;
  std::vector<TensorCosts> costs_;
};

Result<void> check(const Request& request) {
  if (request.budget.given() == (request.n_curve > 0))
    return fail(ErrorKind::usage, "", "give one of --target-size, --target-bpw and --curve");
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_plan,
                        "kerf plan model.gguf --imatrix guided.gguf --target-size 60MB --recipe r.txt");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("model", request.model, "a GGUF file or a Hugging Face folder")->required();
  app.add_option("--imatrix", request.importance,
                 "what each column matters, from kerf calibrate --guided; losses are then nats per token")
      ->required();
  app.add_option("--curve", request.n_curve, "instead: the least loss at N sizes from smallest to largest");
  app.add_option("--recipe", request.recipe, "write the plan here, for kerf quantize --recipe");
  app.add_option("--effort", request.budget.costs.effort, "search per block while measuring: 0 … 3")
      ->check(CLI::Range(0, 3))
      ->capture_default_str();
  request.budget.add_options(app);
  return invocation.run(arguments, [&]() -> Result<void> {
    KERF_CHECK_OK(check(request));
    return Planner(invocation, request).run();
  });
}

}  // namespace

const Command cmd_plan{"plan", "choose a format for each tensor within a file size", run};

}  // namespace kerf::cli

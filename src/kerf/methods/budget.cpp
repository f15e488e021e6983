#include "kerf/methods/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "kerf/base/check.h"
#include "kerf/io/gguf.h"
#include "kerf/methods/recipe.h"

namespace kerf {
namespace {

/// The file, with these formats for the matrices and everything else as «keep» has it.
std::uint64_t file_bytes(const ModelSource& source, const Metadata& metadata,
                         const std::vector<TensorCosts>& costs, const std::vector<const Format*>& formats) {
  // Nothing depends on the values of a kept tensor, so this cannot fail where measuring did not.
  const std::vector<Assignment> kept = *assign_formats(source, {.type = "keep"});
  std::vector<PlannedTensor> tensors;
  for (std::size_t i = 0; i < kept.size(); ++i)
    tensors.push_back({source.tensors()[i].name, kept[i].got, source.tensors()[i].shape});
  for (std::size_t k = 0; k < costs.size(); ++k) tensors[costs[k].tensor].format = formats[k];
  return GgufWriter::file_bytes(metadata, tensors);
}

/// For each entry the option with the least value of `key`, by its format.
template <class Key>
std::vector<const Format*> extremes(const std::vector<TensorCosts>& costs, const Key& key) {
  std::vector<const Format*> formats;
  for (const TensorCosts& entry : costs) {
    const auto place = std::min_element(entry.options.begin(), entry.options.end(),
                                        [&](const Option& a, const Option& b) { return key(a) < key(b); });
    formats.push_back(entry.formats[static_cast<std::size_t>(place - entry.options.begin())]);
  }
  return formats;
}

struct Floor {
  std::regex pattern;
  double bits;
};

Result<std::vector<Floor>> compile(const RecipeRules& rules) {
  std::vector<Floor> floors;
  for (const auto& [expression, type] : rules) {
    const Format* format = find_format(type);
    if (format == nullptr)
      return fail(ErrorKind::usage, "--at-least",
                  fmt::format("unknown type «{}»; «kerf formats --all» lists them", type));
    try {
      floors.push_back({std::regex(expression, std::regex::ECMAScript), format->bits_per_weight()});
    } catch (const std::regex_error&) {
      return fail(ErrorKind::usage, "--at-least",
                  fmt::format("«{}» is not a regular expression", expression));
    }
  }
  return floors;
}

/// The entry without formats below its floor.
Result<TensorCosts> above_floor(const SourceTensor& tensor, const TensorCosts& costs,
                                const std::vector<Floor>& floors) {
  const auto floor = std::find_if(floors.begin(), floors.end(), [&](const Floor& each) {
    return std::regex_search(tensor.name, each.pattern);
  });
  if (floor == floors.end()) return costs;
  TensorCosts kept{costs.tensor, {}, {}};
  for (std::size_t k = 0; k < costs.formats.size(); ++k)
    if (costs.formats[k]->bits_per_weight() >= floor->bits) {
      kept.formats.push_back(costs.formats[k]);
      kept.options.push_back(costs.options[k]);
    }
  if (kept.formats.empty())
    return fail(ErrorKind::usage, "--at-least",
                fmt::format("no allowed format has {} bits for {}", floor->bits, tensor.name));
  return kept;
}

}  // namespace

Result<BudgetPlan> plan_budget(const ModelSource& source, const Metadata& metadata,
                               const std::vector<TensorCosts>& costs, std::uint64_t target_bytes,
                               const RecipeRules& at_least) {
  KERF_TRY(const std::vector<Floor> floors, compile(at_least));
  std::vector<TensorCosts> allowed;
  std::vector<std::vector<Option>> items;
  for (const TensorCosts& entry : costs) {
    KERF_TRY(TensorCosts kept, above_floor(source.tensors()[entry.tensor], entry, floors));
    items.push_back(kept.options);
    allowed.push_back(std::move(kept));
  }
  // Header and metadata depend on the formats a little: those of kerf's own are described in the file. The
  // choice is made for what the header takes with the last choice, until that fits.
  const auto bytes = [](const Option& option) { return option.bytes; };
  std::vector<const Format*> formats = extremes(allowed, bytes);
  BudgetPlan plan;
  std::uint64_t overhead = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    std::uint64_t of_matrices = 0;
    for (std::size_t k = 0; k < allowed.size(); ++k) {
      const auto place = std::find(allowed[k].formats.begin(), allowed[k].formats.end(), formats[k]);
      of_matrices += allowed[k].options[static_cast<std::size_t>(place - allowed[k].formats.begin())].bytes;
    }
    plan.file_bytes = file_bytes(source, metadata, allowed, formats);
    if (attempt > 0 && plan.file_bytes <= target_bytes) return plan;
    overhead = std::max(overhead, plan.file_bytes - of_matrices);
    if (target_bytes <= overhead)
      return fail(
          ErrorKind::usage, "",
          fmt::format("{} bytes are too few: header and vectors alone take {}", target_bytes, overhead));
    Result<Allocation> found = allocate(items, target_bytes - overhead);
    if (!found)
      return fail(ErrorKind::usage, "",
                  fmt::format("{} bytes are too few; the smallest file has {}", target_bytes,
                              file_bytes(source, metadata, allowed, extremes(allowed, bytes))));
    plan.options.clear();
    for (std::size_t k = 0; k < allowed.size(); ++k) {
      formats[k] = allowed[k].formats[found->chosen[k]];
      plan.options.push_back(allowed[k].options[found->chosen[k]]);
    }
    plan.formats = formats;
    plan.loss = found->loss;
    plan.lower_bound = found->lower_bound;
  }
  KERF_CHECK(plan.file_bytes <= target_bytes);
  return plan;
}

BudgetRange budget_range(const ModelSource& source, const Metadata& metadata,
                         const std::vector<TensorCosts>& costs) {
  const auto bytes = [](const Option& option) { return static_cast<double>(option.bytes); };
  const auto loss = [](const Option& option) { return option.loss; };
  return {file_bytes(source, metadata, costs, extremes(costs, bytes)),
          file_bytes(source, metadata, costs, extremes(costs, loss))};
}

RecipeRules rules_of(const ModelSource& source, const std::vector<TensorCosts>& costs,
                     const BudgetPlan& plan) {
  RecipeRules rules;
  for (std::size_t k = 0; k < costs.size(); ++k)
    rules.emplace_back(exactly(source.tensors()[costs[k].tensor].name), plan.formats[k]->name);
  return rules;
}

}  // namespace kerf

// A budget instead of a type: the formats that lose least in a file of so many bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "kerf/base/metadata.h"
#include "kerf/base/result.h"
#include "kerf/methods/format_costs.h"
#include "kerf/methods/recipe_file.h"

namespace kerf {

struct BudgetPlan {
  std::vector<const Format*> formats;  ///< [costs.size()]
  std::vector<Option> options;         ///< [costs.size()]: what each was expected to cost
  std::uint64_t file_bytes = 0;        ///< of the whole GGUF file, exact; never above the target
  double loss = 0;                     ///< Σ of the options' losses
  double lower_bound = 0;              ///< no choice among these formats loses less
};

/// Chooses a format for each entry of `costs` such that the GGUF file with this metadata has at most
/// target_bytes. `at_least`: a matching tensor gets no fewer bits per weight than this type has; the first
/// match decides. Errors: usage (target too small; says what is needed), those of compiling expressions.
Result<BudgetPlan> plan_budget(const ModelSource& source, const Metadata& metadata,
                               const std::vector<TensorCosts>& costs, std::uint64_t target_bytes,
                               const RecipeRules& at_least);

/// The smallest and the largest file that the costs can make.
struct BudgetRange {
  std::uint64_t smallest = 0;
  std::uint64_t largest = 0;
};
BudgetRange budget_range(const ModelSource& source, const Metadata& metadata,
                         const std::vector<TensorCosts>& costs);

/// One rule per tensor of the plan.
RecipeRules rules_of(const ModelSource& source, const std::vector<TensorCosts>& costs,
                     const BudgetPlan& plan);

}  // namespace kerf

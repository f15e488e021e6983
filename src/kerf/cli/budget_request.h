// A file size instead of a type, as it is typed: what kerf plan and kerf quantize share.
#pragma once

#include <string>
#include <vector>

#include "kerf/cli/common.h"
#include "kerf/methods/budget.h"

namespace kerf::cli {

struct BudgetRequest {
  std::string target_size;
  double target_bpw = 0;
  std::vector<std::string> at_least;  ///< «REGEX=TYPE»
  CostOptions costs;

  void add_options(CLI::App& app);
  [[nodiscard]] bool given() const noexcept { return !target_size.empty() || target_bpw > 0; }
  /// Of the whole file. Errors: usage.
  [[nodiscard]] Result<std::uint64_t> target_bytes(const ModelSource& source) const;
  [[nodiscard]] Result<RecipeRules> floors() const;
};

}  // namespace kerf::cli

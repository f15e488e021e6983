#include "kerf/cli/budget_request.h"

#include "kerf/cli/sizes.h"

namespace kerf::cli {

void BudgetRequest::add_options(CLI::App& app) {
  const std::string group = "Budget";
  auto* size =
      app.add_option("--target-size", target_size, "of the whole file: 60MB, 1.5GiB, a number of bytes");
  size->group(group);
  app.add_option("--target-bpw", target_bpw, "bits of the whole file per parameter")
      ->check(CLI::PositiveNumber)
      ->excludes(size)
      ->group(group);
  app.add_option("--at-least", at_least,
                 "REGEX=TYPE: matching tensors get no fewer bits than this type; repeatable")
      ->take_all()
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--only-gguf", costs.only_gguf, "only types that other readers of GGUF know")->group(group);
  app.add_flag("--kernel-fast", costs.only_fast, "only types with a kernel of their own on this CPU")
      ->group(group);
}

Result<std::uint64_t> BudgetRequest::target_bytes(const ModelSource& source) const {
  if (!target_size.empty()) return parse_bytes("--target-size", target_size);
  double n_parameters = 0;
  for (const SourceTensor& tensor : source.tensors())
    n_parameters += static_cast<double>(tensor.n_elements());
  return static_cast<std::uint64_t>(target_bpw / 8 * n_parameters);
}

Result<RecipeRules> BudgetRequest::floors() const {
  std::string lines;
  for (const std::string& rule : at_least) lines += rule + '\n';
  Result<RecipeRules> rules = parse_recipe(lines, "--at-least");
  if (!rules) return fail(ErrorKind::usage, "--at-least", rules.error().what);
  return rules;
}

}  // namespace kerf::cli

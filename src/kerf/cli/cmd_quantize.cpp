// kerf quantize: a model in, a smaller GGUF out.
#include <fmt/format.h>

#include "kerf/cli/calibration_request.h"
#include "kerf/cli/quantize_command.h"
#include "kerf/io/container.h"

namespace kerf::cli {
namespace {

/// «REGEX=TYPE», cut at the last equals sign: a type has none, an expression may.
Result<void> add_rules(const std::vector<std::string>& texts, RecipeOptions& recipe) {
  for (const std::string& text : texts) {
    const std::size_t cut = text.rfind('=');
    if (cut == std::string::npos || cut == 0)
      return fail(ErrorKind::usage, "--tensor-type", fmt::format("«{}» is not REGEX=TYPE", text));
    recipe.tensor_types.emplace_back(text.substr(0, cut), text.substr(cut + 1));
  }
  return {};
}

Result<void> add_types_like(const std::string& path, RecipeOptions& recipe) {
  if (path.empty()) return {};
  KERF_TRY(const Container other, open_container(path));
  for (const StoredTensor& tensor : other.tensors) recipe.like.emplace(tensor.name, tensor.format);
  return {};
}

/// A method that needs no data goes with the recipe. rtn is what a recipe means by itself, and what leaves
/// room for an importance matrix.
Result<void> use_method(const Method& method, RecipeOptions& recipe) {
  if (method.needs != Method::Needs::nothing || &method == &methods::rtn) return {};
  if (!recipe.importance_file.empty())
    return fail(ErrorKind::usage, "--imatrix", fmt::format("{} weighs all columns alike", method.name));
  recipe.method = &method;
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_quantize,
                        "kerf quantize model.gguf small.gguf --type Q4_0 --calib wiki.txt code.txt");
  WriteRequest request;
  CalibrationRequest calibration;
  std::vector<std::string> rules;
  std::string like;
  std::string recipe_file;
  bool no_fallback = false;
  CLI::App& app = invocation.app();
  app.add_option("input", request.input, "a GGUF file or a Hugging Face folder")->required();
  app.add_option("output", request.output, "the GGUF file to write")->required();
  auto* type = app.add_option("--type", request.recipe.type,
                              "format or mixture: Q4_0, Q6_K, IQ4_NL, Q4_K_M …, see «kerf formats»");
  app.add_option("--tensor-type", rules,
                 "REGEX=TYPE for tensors whose name matches; repeatable, the first match wins")
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--embedding-type", request.recipe.embedding_type, "type of the token embedding");
  app.add_option("--output-type", request.recipe.output_type, "type of the output matrix");
  auto* types_like =
      app.add_option("--types-like", like, "give each tensor the type it has in this other file");
  auto* recipe =
      app.add_option("--recipe", recipe_file,
                     "rules «REGEX = TYPE», a line each, as kerf plan writes them; after --tensor-type");
  app.add_flag("--pure", request.recipe.pure,
               "the output matrix gets the type too, instead of at least Q6_K");
  app.add_option("--imatrix", request.recipe.importance_file,
                 "weigh columns by this importance matrix (GGUF or .dat, as llama-imatrix makes them)");
  app.add_option("--effort", request.recipe.effort, "how long to search for each block: 0 fast … 3 thorough")
      ->check(CLI::Range(0, 3))
      ->capture_default_str();
  app.add_flag("--no-fallback", no_fallback, "refuse when a row does not fit its type");
  app.add_option("--rotate", request.rotation,
                 "turn the model by random rotations of this seed first (QuaRot, SpinQuant R1 and R2)")
      ->type_name("SEED");
  app.add_flag("--dry-run", request.dry_run, "say size, memory and time; write nothing");
  calibration.add_options(app);
  request.budget.add_options(app);
  request.gate.add_options(app);
  return invocation.run(arguments, [&]() -> Result<void> {
    if (type->empty() && types_like->empty() && recipe->empty() && !request.budget.given())
      return fail(ErrorKind::usage, "",
                  "--type, --types-like, --recipe or --target-size is needed; for example --type Q4_K_M");
    if (request.budget.given() && !(type->empty() && types_like->empty() && recipe->empty()))
      return fail(ErrorKind::usage, "--target-size",
                  "chooses the types itself; drop the other way to name them");
    if (type->empty()) request.recipe.type = "keep";
    request.recipe.allow_fallback = !no_fallback;
    KERF_CHECK_OK(add_rules(rules, request.recipe));
    KERF_CHECK_OK(add_types_like(like, request.recipe));
    if (!recipe_file.empty()) {
      KERF_TRY(const RecipeRules rules_of_file, read_recipe(recipe_file));
      request.recipe.tensor_types.insert(request.recipe.tensor_types.end(), rules_of_file.begin(),
                                         rules_of_file.end());
    }
    KERF_CHECK_OK(request.gate.check(calibration.texts));
    KERF_TRY(const Method* method, chosen_method(calibration, request.recipe));
    KERF_CHECK_OK(use_method(*method, request.recipe));
    KERF_TRY(request.calibration, calibrated_options(calibration, request.recipe, *method));
    if (calibration.method == "auto" && !invocation.common().quiet)
      fmt::print(stderr, "kerf: auto picks {}: {}\n", method->name, method->summary);
    return write_model(invocation, request);
  });
}

}  // namespace

const Command cmd_quantize{"quantize", "cut a model to fewer bits and write a GGUF file", run};

}  // namespace kerf::cli

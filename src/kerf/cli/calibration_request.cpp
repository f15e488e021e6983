#include "kerf/cli/calibration_request.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "kerf/cli/sizes.h"

namespace kerf::cli {
namespace {

std::string known_methods() {
  std::vector<std::string_view> names;
  for (const Method* method : all_methods()) names.push_back(method->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Three quarters of what the machine has.
std::uint64_t default_limit() {
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 4 * 3;
}

const Method& automatic_method(const CalibrationRequest& request, const RecipeOptions& recipe) {
  constexpr double kManyBits = 7;
  if (request.texts.empty()) return methods::rtn;
  const Format* format = find_format(recipe.type);
  const bool has_many_bits = format != nullptr && format->bits_per_weight() >= kManyBits;
  return recipe.effort == 0 || has_many_bits ? methods::imatrix : methods::guided;
}

}  // namespace

Result<const Method*> chosen_method(const CalibrationRequest& request, const RecipeOptions& recipe) {
  if (request.method.empty() || request.method == "auto") return &automatic_method(request, recipe);
  const std::string& name = request.method;
  const Method* method = find_method(name);
  if (method == nullptr)
    return fail(ErrorKind::usage, "--method",
                fmt::format("unknown method «{}»; there are {} and auto", name, known_methods()));
  if (method->needs != Method::Needs::nothing && request.texts.empty())
    return fail(ErrorKind::usage, "--calib",
                fmt::format("{} needs texts to read; for example --calib wiki.txt code.txt", name));
  if (method->needs == Method::Needs::nothing && !request.texts.empty())
    return fail(ErrorKind::usage, "--calib", fmt::format("{} reads no texts; drop them", name));
  return method;
}

void CalibrationRequest::add_options(CLI::App& app) {
  const std::string group = "Calibration";
  app.add_option("--method", method,
                 fmt::format("how weights are rounded: {}; auto (the default) picks one", known_methods()))
      ->group(group);
  app.add_option("--calib", texts, "texts to calibrate with: plain, or .jsonl with a field «text» per line")
      ->group(group);
  app.add_option("--calib-tokens", options.n_tokens, "how many tokens of them to read")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 40))
      ->group(group);
  app.add_option("--calib-ctx", options.ctx, "window in tokens")->group(group);
  app.add_option("--calib-seed", options.seed, "draws the windows")->group(group);
  app.add_option(
         "--damping", damping,
         "added to the diagonal of the second moments, as a part of its mean (gptq 0.01, guided 0.05)")
      ->check(CLI::Range(0.0, 10.0))
      ->group(group);
  app.add_flag("--act-order", options.tuning.act_order, "gptq: columns with large inputs first")
      ->group(group);
  app.add_option("--refinements", options.tuning.refinements, "gptq: rounds of coordinate descent afterwards")
      ->check(CLI::Range(0, 100))
      ->group(group);
  app.add_option("--smoothing", options.tuning.smoothing,
                 "smoothquant: 0 leaves all outliers to the activations, 1 moves them into the weights")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_flag("--bias-correction", options.correct_biases,
               "biases that the model has take back what rounding shifts outputs by on average")
      ->group(group);
  app.add_option("--max-ram", max_ram,
                 "resident memory to stay below, as 900M or 2G; activations go to files beside the output")
      ->group(group);
  app.add_flag("--resume", options.resume, "go on with an interrupted run of the same command")->group(group);
}

Result<std::optional<CalibratedOptions>> calibrated_options(const CalibrationRequest& request,
                                                            const RecipeOptions& recipe,
                                                            const Method& method) {
  if (method.needs == Method::Needs::nothing) return std::nullopt;
  if (!recipe.importance_file.empty())
    return fail(
        ErrorKind::usage, "--imatrix",
        fmt::format("{} measures by itself what an importance matrix says; drop one of them", method.name));
  CalibratedOptions options = request.options;
  options.method = &method;
  options.tuning.search.effort = recipe.effort;
  options.tuning.damping = request.damping.value_or(method.damping);
  options.memory_limit_bytes = default_limit();
  if (!request.max_ram.empty()) {
    KERF_TRY(options.memory_limit_bytes, parse_bytes("--max-ram", request.max_ram));
  }
  for (const std::string& path : request.texts) {
    KERF_TRY(CalibrationText text, read_calibration_text(path));
    options.texts.push_back(std::move(text));
  }
  return options;
}

}  // namespace kerf::cli

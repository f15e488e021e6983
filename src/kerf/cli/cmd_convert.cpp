// kerf convert: a model in, a GGUF of whole numbers out: nothing is cut.
#include "kerf/cli/quantize_command.h"

namespace kerf::cli {
namespace {

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_convert, "kerf convert SmolLM2-135M/ model.gguf --type f16");
  WriteRequest request;
  request.recipe.type = "keep";
  CLI::App& app = invocation.app();
  app.add_option("input", request.input, "a GGUF file or a Hugging Face folder")->required();
  app.add_option("output", request.output, "the GGUF file to write")->required();
  app.add_option("--type", request.recipe.type, "f32, f16, bf16, or keep: every tensor as it is")
      ->transform(CLI::IsMember({"f32", "f16", "bf16", "keep"}, CLI::ignore_case));
  app.add_flag("--dry-run", request.dry_run, "say size, memory and time; write nothing");
  return invocation.run(arguments, [&] { return write_model(invocation, request); });
}

}  // namespace

const Command cmd_convert{"convert", "write a model as GGUF without cutting it", run};

}  // namespace kerf::cli

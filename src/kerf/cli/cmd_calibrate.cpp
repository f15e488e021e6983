// kerf calibrate: what flows into each weight while the model reads texts, as an importance matrix.
#include <fmt/format.h>

#include "kerf/base/file.h"
#include "kerf/cli/common.h"
#include "kerf/cli/loaded_model.h"
#include "kerf/methods/calibrate.h"

namespace kerf::cli {
namespace {

struct Request {
  std::string model, output;
  std::vector<std::string> texts;
  CalibrationOptions options;
};

Result<std::vector<CalibrationText>> read_texts(const std::vector<std::string>& paths) {
  std::vector<CalibrationText> texts;
  for (const std::string& path : paths) {
    KERF_TRY(std::string text, read_file(path));
    texts.push_back({path, std::move(text)});
  }
  return texts;
}

nlohmann::json as_json(const Request& request, const ImportanceMatrix& matrix) {
  return {{"model", request.model},
          {"output", request.output},
          {"texts", matrix.datasets},
          {"ctx", matrix.chunk_size},
          {"windows", matrix.n_chunks},
          {"weights", matrix.weights.size()},
          {"peak_memory_bytes", peak_memory_bytes()}};
}

Result<void> calibrate(Invocation& invocation, const Request& request) {
  KERF_TRY(const auto texts, read_texts(request.texts));
  ThreadPool pool(invocation.common().threads);
  KERF_TRY(const LoadedModel loaded, load_model(request.model, pool));
  KERF_TRY(const auto tokenizer, loaded.source->require_tokenizer());
  KERF_TRY(const ImportanceMatrix matrix, calibrate_importance(*loaded.model, *tokenizer, texts,
                                                               request.options, pool, invocation.progress()));
  KERF_CHECK_OK(write_importance(matrix, request.output));
  if (invocation.common().json)
    print_json(as_json(request, matrix));
  else
    fmt::print("wrote {}: the inputs of {} weights over {} windows of {} tokens\n", request.output,
               matrix.weights.size(), matrix.n_chunks, matrix.chunk_size);
  return {};
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_calibrate,
                        "kerf calibrate model.gguf calibration.gguf --text wiki.txt code.txt --windows 100");
  Request request;
  CLI::App& app = invocation.app();
  app.add_option("model", request.model, "a GGUF file or a Hugging Face folder")->required();
  app.add_option("output", request.output,
                 "the importance matrix to write, as llama.cpp has it: GGUF, or its older form if the name "
                 "ends in .dat")
      ->required();
  app.add_option("--text", request.texts, "texts to read; repeatable")->required();
  app.add_option("--ctx", request.options.ctx, "window in tokens")->capture_default_str();
  app.add_option("--windows", request.options.n_windows,
                 "read at most so many windows, spread evenly over the texts; 0 is all");
  return invocation.run(arguments, [&] { return calibrate(invocation, request); });
}

}  // namespace

const Command cmd_calibrate{"calibrate", "measure which inputs of each weight matter, for quantize --imatrix",
                            run};

}  // namespace kerf::cli

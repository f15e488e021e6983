// kerf verify: looks for broken numbers and a vocabulary that does not fit.
#include <fmt/format.h>

#include "kerf/cli/common.h"
#include "kerf/cli/model_file.h"
#include "kerf/io/printable.h"
#include "kerf/io/verify.h"

namespace kerf::cli {
namespace {

using nlohmann::json;

struct VerifyReport {
  ModelFile model;
  std::vector<TensorDefects> defects;
  std::vector<std::string> complaints;

  [[nodiscard]] bool sound() const { return defects.empty() && complaints.empty(); }
};

json as_json(const VerifyReport& report) {
  json tensors = json::array();
  for (const TensorDefects& d : report.defects)
    tensors.push_back({{"name", d.tensor},
                       {"type", d.format->name},
                       {"blocks", d.n_blocks},
                       {"bad_blocks", d.n_bad},
                       {"first_bad_block", d.first_block},
                       {"file", d.file},
                       {"offset", d.first_offset},
                       {"reason", d.reason}});
  json out = {{"path", report.model.container.path.string()},
              {"sound", report.sound()},
              {"tensors_scanned", report.model.container.tensors.size()},
              {"file_bytes", report.model.container.file_bytes},
              {"bad_tensors", tensors},
              {"vocabulary", report.complaints}};
  if (!report.model.no_description.empty()) out["not_described"] = report.model.no_description;
  return out;
}

void print_text(const VerifyReport& report) {
  for (const TensorDefects& d : report.defects)
    fmt::print("{}: {} of {} {} blocks are bad, the first is block {} at offset {} of {}: {}\n",
               printable(d.tensor), d.n_bad, d.n_blocks, d.format->name, d.first_block, d.first_offset,
               printable(d.file, 1000), d.reason);
  for (const std::string& complaint : report.complaints) fmt::print("vocabulary: {}\n", complaint);
  if (report.sound())
    fmt::print("{}: {} tensors, {}: sound\n", printable(report.model.container.path.string(), 1000),
               report.model.container.tensors.size(),
               human_bytes(static_cast<double>(report.model.container.file_bytes)));
  if (!report.model.no_description.empty())
    fmt::print("vocabulary not checked: {}\n", report.model.no_description);
}

Result<VerifyReport> verify(const std::string& path, unsigned n_threads, Progress& progress) {
  VerifyReport report;
  KERF_TRY(report.model, open_model_file(path));
  ThreadPool pool(n_threads);
  KERF_TRY(report.defects, find_defects(report.model.container, pool, progress));
  report.complaints = vocabulary_complaints(report.model.description, report.model.container);
  return report;
}

int run(const std::vector<std::string>& arguments) {
  Invocation invocation(cmd_verify, "kerf verify model.gguf");
  std::string path;
  invocation.app()
      .add_option("MODEL", path, "GGUF file, safetensors file or Hugging Face folder")
      ->required();
  bool sound = true;
  const int code = invocation.run(arguments, [&]() -> Result<void> {
    KERF_TRY(const VerifyReport report, verify(path, invocation.common().threads, invocation.progress()));
    sound = report.sound();
    if (invocation.common().json)
      print_json(as_json(report));
    else
      print_text(report);
    return {};
  });
  // A finding is a result, not an error of the command: it is printed in full, and told by the exit code.
  return code == kOk && !sound ? kInput : code;
}

}  // namespace

const Command cmd_verify{"verify", "check every block of a model and its vocabulary", run};

}  // namespace kerf::cli

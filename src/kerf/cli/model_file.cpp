#include "kerf/cli/model_file.h"

#include "kerf/model/source.h"

namespace kerf::cli {

Result<ModelFile> open_model_file(const std::filesystem::path& path) {
  ModelFile out;
  KERF_TRY(out.container, open_container(path));
  out.kind = out.container.kind;
  out.description = out.container.metadata;
  if (std::error_code ec; !std::filesystem::exists(path / "config.json", ec)) return out;
  out.kind = "huggingface";
  if (const auto source = ModelSource::open(path))
    out.description = (*source)->metadata();
  else
    out.no_description = source.error().message();
  return out;
}

}  // namespace kerf::cli

#include "kerf/cli/loaded_model.h"

namespace kerf::cli {

Result<LoadedModel> load_model(const std::string& path, ThreadPool& pool) {
  LoadedModel loaded;
  KERF_TRY(loaded.source, ModelSource::open(path));
  KERF_TRY(loaded.model, Model::load(loaded.source, pool));
  return loaded;
}

}  // namespace kerf::cli

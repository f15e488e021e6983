#include "kerf/cli/loaded_model.h"

namespace kerf::cli {

Result<LoadedModel> load_model(const std::string& path, ThreadPool& pool) {
  LoadedModel loaded;
  KERF_TRY(loaded.source, ModelSource::open(path));
  KERF_TRY(loaded.model, Model::load(loaded.source, pool));
  return loaded;
}

Result<std::shared_ptr<const Tokenizer>> tokenizer_of(const LoadedModel& loaded) {
  if (auto tokenizer = loaded.source->tokenizer()) return tokenizer;
  return fail(ErrorKind::not_found, loaded.source->path().string(),
              "has no tokenizer; convert it again from a folder that holds tokenizer.json");
}

}  // namespace kerf::cli

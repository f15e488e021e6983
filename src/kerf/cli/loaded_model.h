// A model ready to run, with what it stands on.
#pragma once

#include <memory>
#include <string>

#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/model/model.h"
#include "kerf/model/source.h"

namespace kerf::cli {

struct LoadedModel {
  std::shared_ptr<const ModelSource> source;
  std::unique_ptr<Model> model;
};

/// Opens and loads; `pool` must outlive the model.
Result<LoadedModel> load_model(const std::string& path, ThreadPool& pool);

}  // namespace kerf::cli

// A GGUF file as a ModelSource: names, order of rows and metadata are what the file says.
#pragma once

#include <filesystem>
#include <memory>

#include "kerf/base/result.h"
#include "kerf/model/source.h"

namespace kerf {

/// Opens a GGUF file; any shard opens the whole model. A file without tokenizer.ggml.model has no
/// tokenizer and is fine otherwise. Errors: those of open_container(); unsupported (not a GGUF file).
Result<std::shared_ptr<const ModelSource>> open_gguf_source(const std::filesystem::path& path);

}  // namespace kerf

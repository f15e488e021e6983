// A Hugging Face folder (config.json, safetensors, tokenizer) as a ModelSource.
#pragma once

#include <filesystem>
#include <memory>

#include "kerf/base/result.h"
#include "kerf/model/source.h"

namespace kerf {

/// Opens the folder. Weights stay in the mapping; those that GGUF wants in another order are rearranged while
/// they are read. A folder without tokenizer files has no tokenizer and is fine otherwise.
/// Errors: not_found, input, unsupported, io: see plan_tensors() and read_dimensions().
Result<std::shared_ptr<const ModelSource>> open_hugging_face_source(const std::filesystem::path& folder);

}  // namespace kerf

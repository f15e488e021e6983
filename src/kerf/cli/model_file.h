// A model on disk as `kerf inspect` and `kerf verify` see it: the tensors as they are stored, and the
// description that a GGUF header would give of them.
#pragma once

#include <filesystem>
#include <string>

#include "kerf/io/container.h"

namespace kerf::cli {

struct ModelFile {
  Container container;
  std::string kind;      ///< «gguf», «safetensors», «huggingface» (safetensors with a config.json)
  Metadata description;  ///< GGUF keys; of bare safetensors only their own
  std::string no_description;  ///< why a Hugging Face folder could not be described; else empty
};

/// Errors: those of open_container(). A folder of an unknown model family opens without description.
Result<ModelFile> open_model_file(const std::filesystem::path& path);

}  // namespace kerf::cli

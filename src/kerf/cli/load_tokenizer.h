// The tokenizer that belongs to whatever model a command was given.
#pragma once

#include <filesystem>
#include <memory>

#include "kerf/text/tokenizer.h"

namespace kerf::cli {

/// From a Hugging Face folder, a tokenizer.json or tokenizer.model, or else from a GGUF file's metadata.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::filesystem::path& path);

}  // namespace kerf::cli

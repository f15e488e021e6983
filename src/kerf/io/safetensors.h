// safetensors files, read only: u64 length of the header | JSON header | data.
// Source: the format description in the README of huggingface/safetensors.
#pragma once

#include <filesystem>
#include <string>

#include "kerf/io/container.h"

namespace kerf {

/// Whether `bytes` begin as a safetensors file does: a plausible header length and «{».
[[nodiscard]] bool looks_like_safetensors(Bytes bytes) noexcept;

/// Reads one file; a shard yields only its own tensors (open_container() on the folder joins them).
/// Tensors come in the order of their data. `__metadata__` becomes string keys.
Result<Container> open_safetensors(const std::filesystem::path& path);

/// The same from memory, which must outlive the result: its tensors point into `bytes` and have no file.
/// `where` names the source in errors.
Result<Container> parse_safetensors(Bytes bytes, const std::string& where);

/// A model folder: the shards that model.safetensors.index.json lists, else model.safetensors, else every
/// *.safetensors in it.
Result<Container> open_safetensors_folder(const std::filesystem::path& folder);

}  // namespace kerf

// Container: named tensors in a file or folder, mapped, never loaded whole; with the metadata beside them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/base/metadata.h"
#include "kerf/base/result.h"
#include "kerf/formats/format.h"

namespace kerf {

/// A tensor as it lies in a file. `shape` is outermost first, so a matrix is [R, K] row-major and
/// shape.back() is the length of a row; a scalar has an empty shape.
struct StoredTensor {
  std::string name;
  const Format* format = nullptr;
  std::vector<std::uint64_t> shape;
  Bytes bytes;  ///< into the mapping of `file`
  std::shared_ptr<const MappedFile> file;

  [[nodiscard]] std::uint64_t n_elements() const noexcept {
    std::uint64_t n = 1;
    for (const std::uint64_t extent : shape) n *= extent;
    return n;
  }
  [[nodiscard]] std::uint64_t row_length() const noexcept { return shape.empty() ? 1 : shape.back(); }
  [[nodiscard]] std::uint64_t n_rows() const noexcept {
    return row_length() == 0 ? 0 : n_elements() / row_length();
  }
};

/// An opened GGUF file (or its shards), safetensors file, or folder of safetensors. A plain value: the
/// mappings live as long as any tensor that points into them.
struct Container {
  std::filesystem::path path;
  std::string kind;                   ///< «gguf», «safetensors»
  Metadata metadata;                  ///< GGUF: its key-values; safetensors: __metadata__ as strings
  std::vector<StoredTensor> tensors;  ///< in file order
  std::uint64_t file_bytes = 0;       ///< of all files together
  std::unordered_map<std::string, std::size_t> index;  ///< name → position in tensors

  /// nullptr if there is none of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const {
    const auto place = index.find(std::string(name));
    return place == index.end() ? nullptr : &tensors[place->second];
  }
};

/// Opens a .gguf file (any shard of a split model opens the whole), a .safetensors file, or a folder that
/// holds safetensors with or without an index. What it is, is decided by content. Every size and offset is
/// checked against the file before use. Errors: not_found, io, input, unsupported.
Result<Container> open_container(const std::filesystem::path& path);

}  // namespace kerf

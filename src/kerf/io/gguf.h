// GGUF files, version 2 and 3 in, version 3 out.
// Source: the GGUF specification in ggml's docs/gguf.md.
#pragma once

#include <filesystem>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/io/container.h"

namespace kerf {

/// Reads one GGUF file; a shard yields only its own tensors (open_container() joins shards).
Result<Container> open_gguf(const std::filesystem::path& path);

/// A tensor to be written: shape outermost first, as in StoredTensor.
struct PlannedTensor {
  std::string name;
  const Format* format = nullptr;
  std::vector<std::uint64_t> shape;
  [[nodiscard]] std::uint64_t n_bytes() const noexcept;
};

/// Writes header and metadata at once and then takes the tensors' bytes in order. Nothing appears at the
/// target path before commit().
class GgufWriter {
 public:
  /// The exact size of the file that create() and the tensors would make.
  static std::uint64_t file_bytes(const Metadata& metadata, const std::vector<PlannedTensor>& tensors);

  static Result<GgufWriter> create(const std::filesystem::path& target, const Metadata& metadata,
                                   std::vector<PlannedTensor> tensors);
  /// Appends bytes of the current tensor; when it has all of them, the next one begins. Padding is ours.
  Result<void> write(Bytes bytes);
  /// Errors also when bytes are missing.
  Result<void> commit();

 private:
  GgufWriter(AtomicFile file, std::vector<PlannedTensor> tensors, std::uint64_t alignment)
      : file_(std::move(file)), tensors_(std::move(tensors)), alignment_(alignment) {}
  AtomicFile file_;
  std::vector<PlannedTensor> tensors_;
  std::uint64_t alignment_;
  std::size_t current_ = 0;
  std::uint64_t written_ = 0;  // bytes of the current tensor
};

}  // namespace kerf

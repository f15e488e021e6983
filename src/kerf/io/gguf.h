// GGUF files, version 2 and 3 in, version 3 out.
// Source: the GGUF specification in ggml's docs/gguf.md.
#pragma once

#include <filesystem>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/io/container.h"

namespace kerf {

/// Tensors begin at multiples of this many bytes: general.alignment, or 32 without it. Errors: input (not a
/// u32, not a power of two from 8 to 2^20).
Result<std::uint64_t> gguf_alignment(const Metadata& metadata);

/// Whether `bytes` begin as a GGUF file does, of any version and byte order.
[[nodiscard]] bool looks_like_gguf(Bytes bytes) noexcept;

/// Reads one GGUF file; a shard yields only its own tensors (open_container() joins shards).
Result<Container> open_gguf(const std::filesystem::path& path);

/// The same from memory, which must outlive the result: its tensors point into `bytes` and have no file.
/// `where` names the source in errors.
Result<Container> parse_gguf(Bytes bytes, const std::string& where);

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
  /// `metadata` has a sound alignment.
  static std::uint64_t file_bytes(const Metadata& metadata, const std::vector<PlannedTensor>& tensors);

  static Result<GgufWriter> create(const std::filesystem::path& target, const Metadata& metadata,
                                   std::vector<PlannedTensor> tensors);
  /// Appends bytes of the current tensor; when it has all of them, the next one begins. Padding is ours.
  Result<void> write(Bytes bytes);
  /// Errors also when bytes are missing.
  Result<void> commit();

 private:
  GgufWriter(std::string where, AtomicFile file, std::vector<PlannedTensor> tensors, std::uint64_t alignment)
      : where_(std::move(where)),
        file_(std::move(file)),
        tensors_(std::move(tensors)),
        alignment_(alignment) {}
  std::string where_;
  AtomicFile file_;
  std::vector<PlannedTensor> tensors_;
  std::uint64_t alignment_;
  std::size_t current_ = 0;
  std::uint64_t written_ = 0;  // bytes of the current tensor
};

}  // namespace kerf

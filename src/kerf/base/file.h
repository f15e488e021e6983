// Files: a bounds-checked read-only mapping, and a writer whose output appears whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kerf/base/result.h"

namespace kerf {

using Bytes = std::span<const std::uint8_t>;

/// A file mapped read-only. Pages are loaded on first touch and may be dropped again by the kernel.
class MappedFile {
 public:
  /// Maps `path`. Errors: not_found, io (not a regular file, no permission), input (empty).
  static Result<std::shared_ptr<const MappedFile>> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Tells the kernel that these bytes (a part of bytes()) are not needed soon: keeps resident memory
  /// bounded when a file larger than memory is streamed through.
  void release(Bytes part) const noexcept;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  Bytes bytes_;
};

/// Reads a whole small file (configuration, text). Errors: not_found, io; resource if over `limit_bytes`.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes = 1ULL << 32);

/// Writes to a temporary sibling and renames it over the target on commit(); without a commit nothing
/// is left behind.
class AtomicFile {
 public:
  /// Creates the sibling and, when `size_bytes` is known, reserves the space so that a full disk is
  /// found before the work is done. Errors: io, resource.
  static Result<AtomicFile> create(const std::filesystem::path& target, std::uint64_t size_bytes = 0);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  /// Appends.
  Result<void> write(Bytes bytes);
  Result<void> write(std::string_view text);
  /// Appends zeros up to `offset_bytes` from the start.
  Result<void> pad_to(std::uint64_t offset_bytes);
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  /// Flushes to disk and renames. The object is spent afterwards.
  Result<void> commit();

 private:
  AtomicFile() = default;
  Result<void> flush();
  void discard() noexcept;

  int descriptor_ = -1;
  std::uint64_t position_ = 0;
  std::string buffer_;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
};

/// The same for a whole text at once.
Result<void> write_file(const std::filesystem::path& target, std::string_view text);

}  // namespace kerf

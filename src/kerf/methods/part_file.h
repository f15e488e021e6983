// PartFile: the finished tensors of an output that is still being made, so that work that was interrupted at
// any moment can be taken up again.
//
//   file    «KERFPART», u32 version, u32 length, identity (names and values, each ended by a zero byte),
//           u64 checksum of all that; then records
//   record  u32 magic, u32 length of the name, u64 number of bytes, name, zeros up to a multiple of 64, the
//           tensor's bytes, three f64 (RoundingError), u64 checksum of all that
//
// Little-endian; do not renumber. A record counts when it is whole and its checksum is right: what follows
// the last one that does was being written when the work broke off, and is cut off.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kerf/base/file.h"
#include "kerf/base/result.h"
#include "kerf/methods/round_tensor.h"

namespace kerf {

/// Everything that the bytes of an output depend on: (name as users know it, value).
using RunIdentity = std::vector<std::pair<std::string, std::string>>;

class PartFile {
 public:
  struct Record {
    std::uint64_t offset = 0;  ///< of the tensor's bytes
    std::uint64_t n_bytes = 0;
    RoundingError error;
  };

  /// «<target>.part», locked against a second process. With `resume`, what an earlier run of the same
  /// identity finished is there; without, there must be no such file. Errors: usage (another identity, named;
  /// a file although nothing is to be resumed), input (no part file, or damaged), resource (locked, disk),
  /// io.
  static Result<PartFile> open(const std::filesystem::path& target, const RunIdentity& identity, bool resume);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&& other) noexcept;
  ~PartFile();

  /// nullptr if this tensor is not finished.
  [[nodiscard]] const Record* find(std::string_view tensor) const;
  [[nodiscard]] std::size_t n_records() const noexcept { return records_.size(); }

  /// Writes a tensor: begin, as many write as it takes, finish.
  Result<void> begin(std::string_view tensor, std::uint64_t n_bytes);
  Result<void> write(Bytes bytes);
  Result<void> finish(const RoundingError& error);

  /// The bytes of a finished tensor, mapped; good as long as this object is. Errors: io.
  Result<Bytes> view(std::string_view tensor);
  /// Lets the kernel drop the pages of a tensor.
  void release(std::string_view tensor) const noexcept;

  /// Deletes the file, when the output is in place.
  void remove() noexcept;

 private:
  PartFile() = default;
  Result<void> start(const std::string& header);
  Result<void> read_records(const std::string& header);
  /// The record at `at`, or nothing if it is not whole; moves `at` behind it.
  bool read_record(Bytes file, std::uint64_t& at);
  Result<void> append(Bytes bytes);
  Result<void> map();

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;  // where the next byte goes
  std::map<std::string, Record, std::less<>> records_;
  std::vector<std::shared_ptr<const MappedFile>> mappings_;  // the last one is the longest
  std::string open_tensor_;                                  // between begin() and finish()
  std::uint64_t open_start_ = 0;                             // of its record
  Record open_;
};

}  // namespace kerf

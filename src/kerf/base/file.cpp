#include "kerf/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kerf {
namespace {

ErrorKind kind_of_errno(int code) {
  switch (code) {
    case ENOENT:
      return ErrorKind::not_found;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
      return ErrorKind::resource;
    default:
      return ErrorKind::io;
  }
}

tl::unexpected<Error> fail_errno(const std::filesystem::path& path, std::string_view action, int code) {
  return fail(kind_of_errno(code), path.string(), fmt::format("cannot {}: {}", action, std::strerror(code)));
}

constexpr std::size_t kBufferBytes = 1 << 20;

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) return fail_errno(path, "open", errno);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) return fail_errno(path, "read its size", errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::io, path.string(), "is not a regular file");
  if (status.st_size == 0) return fail(ErrorKind::input, path.string(), "is empty");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.value, 0);
  if (address == MAP_FAILED) return fail_errno(path, "map into memory", errno);
  std::shared_ptr<MappedFile> mapped(new MappedFile);
  mapped->path_ = path;
  mapped->bytes_ = {static_cast<const std::uint8_t*>(address), size};
  return mapped;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(Bytes part) const noexcept {
  if (part.empty()) return;
  // Only whole pages inside the part: its neighbours may still be in use.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / page * page;
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) return fail_errno(path, "open", errno);
  std::string text;
  std::string chunk(kBufferBytes, '\0');
  for (;;) {
    const ssize_t got = ::read(file.value, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(path, "read", errno);
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > limit_bytes)
      return fail(ErrorKind::resource, path.string(), fmt::format("is larger than {} bytes", limit_bytes));
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

Result<AtomicFile> AtomicFile::create(const std::filesystem::path& target, std::uint64_t size_bytes) {
  if (std::error_code ec; std::filesystem::is_directory(target, ec))
    return fail(ErrorKind::io, target.string(), "cannot write: it is a directory");
  AtomicFile file;
  file.target_ = target;
  file.temporary_ = target;
  file.temporary_ += fmt::format(".part-{}", ::getpid());
  file.descriptor_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file.descriptor_ < 0) {
    // A missing folder is a place that cannot be written to, not a missing input.
    const ErrorKind kind = errno == ENOENT ? ErrorKind::io : kind_of_errno(errno);
    return fail(kind, target.string(), fmt::format("cannot create: {}", std::strerror(errno)));
  }
  if (size_bytes > 0) {
    const int code = ::posix_fallocate(file.descriptor_, 0, static_cast<off_t>(size_bytes));
    // Some file systems cannot reserve; then a full disk shows at the write.
    if (code != 0 && code != EOPNOTSUPP && code != EINVAL)
      return fail_errno(target, fmt::format("reserve {} bytes", size_bytes), code);
  }
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept {
  *this = std::move(other);
}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this == &other) return *this;
  discard();
  descriptor_ = std::exchange(other.descriptor_, -1);
  position_ = other.position_;
  buffer_ = std::move(other.buffer_);
  target_ = std::move(other.target_);
  temporary_ = std::move(other.temporary_);
  return *this;
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

Result<void> AtomicFile::write(std::string_view text) {
  return write(Bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

Result<void> AtomicFile::write(Bytes bytes) {
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  position_ += bytes.size();
  return buffer_.size() >= kBufferBytes ? flush() : Result<void>{};
}

Result<void> AtomicFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(target_, "write", errno);
    done += static_cast<std::size_t>(written);
  }
  buffer_.clear();
  return {};
}

Result<void> AtomicFile::pad_to(std::uint64_t offset_bytes) {
  static constexpr std::uint8_t kZeros[256] = {};
  while (position_ < offset_bytes) {
    const std::uint64_t n = std::min<std::uint64_t>(sizeof kZeros, offset_bytes - position_);
    KERF_CHECK_OK(write(Bytes{kZeros, static_cast<std::size_t>(n)}));
  }
  return {};
}

Result<void> AtomicFile::commit() {
  KERF_CHECK_OK(flush());
  // A reservation larger than what was written must not leave a tail.
  if (::ftruncate(descriptor_, static_cast<off_t>(position_)) != 0 || ::fsync(descriptor_) != 0)
    return fail_errno(target_, "finish writing", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0 || ::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary_.c_str());
    return fail_errno(target_, "put in place", code);
  }
  return {};
}

Result<void> write_file(const std::filesystem::path& target, std::string_view text) {
  KERF_TRY(auto file, AtomicFile::create(target));
  KERF_CHECK_OK(file.write(text));
  return file.commit();
}

}  // namespace kerf

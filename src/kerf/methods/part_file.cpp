#include "kerf/methods/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kerf/base/bits.h"
#include "kerf/base/check.h"
#include "kerf/base/checksum.h"

namespace kerf {
namespace {

constexpr std::string_view kMagic = "KERFPART";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kRecordMagic = 0x4E45544B;  // «KTEN»
constexpr std::uint64_t kRecordHead = 16;           // bytes in front of the name
constexpr std::uint64_t kRecordTail = 32;           // bytes behind the tensor
constexpr std::uint64_t kAlignment = 64;

tl::unexpected<Error> fail_errno(const std::filesystem::path& path, std::string_view action, int code) {
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return fail(full ? ErrorKind::resource : ErrorKind::io, path.string(),
              fmt::format("cannot {}: {}", action, std::strerror(code)));
}

template <class T>
void append_to(std::string& text, T value) {
  char raw[sizeof(T)];
  store_le(raw, value);
  text.append(raw, sizeof raw);
}

std::string header_of(const RunIdentity& identity) {
  std::string names;
  for (const auto& [name, value] : identity) {
    names += name + '\0';
    names += value + '\0';
  }
  std::string header(kMagic);
  append_to(header, kVersion);
  append_to(header, static_cast<std::uint32_t>(names.size()));
  header += names;
  append_to(header, checksum(header));
  return header;
}

/// The identity in a file's first bytes, or nothing if they are not a whole header.
std::optional<RunIdentity> identity_in(Bytes file) {
  constexpr std::size_t kFixed = 16;
  if (file.size() < kFixed || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0 ||
      load_le<std::uint32_t>(file.data() + 8) != kVersion)
    return std::nullopt;
  const std::uint64_t n = load_le<std::uint32_t>(file.data() + 12);
  if (file.size() < kFixed + n + 8 ||
      load_le<std::uint64_t>(file.data() + kFixed + n) != checksum(file.first(kFixed + n)))
    return std::nullopt;
  std::vector<std::string> words;
  for (std::size_t at = kFixed; at < kFixed + n;) {
    words.emplace_back(reinterpret_cast<const char*>(file.data() + at));
    at += words.back().size() + 1;
  }
  RunIdentity identity;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) identity.emplace_back(words[i], words[i + 1]);
  return identity;
}

/// The first thing that differs, in words; empty: nothing.
std::string difference(const RunIdentity& before, const RunIdentity& now) {
  for (const auto& [name, value] : now) {
    const std::string* old = nullptr;
    for (const auto& [other, old_value] : before)
      if (other == name) old = &old_value;
    if (old == nullptr) return fmt::format("{} is new", name);
    if (*old != value) return fmt::format("{} has changed: it was {}, now it is {}", name, *old, value);
  }
  for (const auto& [name, value] : before) {
    bool found = false;
    for (const auto& [other, ignored] : now) found = found || other == name;
    if (!found) return fmt::format("{} ({}) is gone", name, value);
  }
  return {};
}

}  // namespace

Result<PartFile> PartFile::open(const std::filesystem::path& target, const RunIdentity& identity,
                                bool resume) {
  PartFile part;
  part.path_ = target;
  part.path_ += ".part";
  part.descriptor_ = ::open(part.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (part.descriptor_ < 0) return fail_errno(part.path_, "open", errno);
  if (::flock(part.descriptor_, LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorKind::resource, part.path_.string(), "another process is working on it");
  const off_t size = ::lseek(part.descriptor_, 0, SEEK_END);
  if (size < 0) return fail_errno(part.path_, "read its size", errno);
  const std::string header = header_of(identity);
  if (size == 0) {
    KERF_CHECK_OK(part.start(header));
    return part;
  }
  if (!resume)
    return fail(ErrorKind::usage, part.path_.string(),
                "holds the work of a run that was interrupted; go on with --resume, or delete it");
  KERF_TRY(const auto file, MappedFile::open(part.path_));
  const std::optional<RunIdentity> before = identity_in(file->bytes());
  if (!before) {
    // Cut off within its first bytes there is nothing to lose; whatever else it may be is not ours.
    const bool ours = header.compare(0, std::min<std::size_t>(static_cast<std::size_t>(size), 16),
                                     reinterpret_cast<const char*>(file->bytes().data()),
                                     std::min<std::size_t>(static_cast<std::size_t>(size), 16)) == 0;
    if (!ours || static_cast<std::size_t>(size) > header.size())
      return fail(ErrorKind::input, part.path_.string(),
                  "is not the work of a run of this program, or is damaged; delete it to begin anew");
    KERF_CHECK_OK(part.start(header));
    return part;
  }
  if (const std::string what = difference(*before, identity); !what.empty())
    return fail(ErrorKind::usage, part.path_.string(),
                fmt::format("{}; finish the interrupted run as it was begun, or delete this file", what));
  KERF_CHECK_OK(part.read_records(header));
  return part;
}

PartFile::PartFile(PartFile&& other) noexcept {
  *this = std::move(other);
}

PartFile& PartFile::operator=(PartFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(end_, other.end_);
  std::swap(records_, other.records_);
  std::swap(mappings_, other.mappings_);
  std::swap(open_tensor_, other.open_tensor_);
  std::swap(open_start_, other.open_start_);
  std::swap(open_, other.open_);
  return *this;
}

PartFile::~PartFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> PartFile::start(const std::string& header) {
  if (::ftruncate(descriptor_, 0) != 0) return fail_errno(path_, "begin", errno);
  end_ = 0;
  return append(Bytes{reinterpret_cast<const std::uint8_t*>(header.data()), header.size()});
}

Result<void> PartFile::read_records(const std::string& header) {
  end_ = header.size();
  KERF_CHECK_OK(map());
  const Bytes file = mappings_.back()->bytes();
  while (read_record(file, end_)) {
  }
  mappings_.back()->release(file);
  if (end_ < file.size() && ::ftruncate(descriptor_, static_cast<off_t>(end_)) != 0)
    return fail_errno(path_, "cut off what is not whole", errno);
  // Pages behind the cut must not be touched again.
  mappings_.clear();
  return {};
}

bool PartFile::read_record(Bytes file, std::uint64_t& at) {
  if (file.size() - at < kRecordHead || load_le<std::uint32_t>(file.data() + at) != kRecordMagic)
    return false;
  const std::uint64_t name_bytes = load_le<std::uint32_t>(file.data() + at + 4);
  const std::uint64_t n_bytes = load_le<std::uint64_t>(file.data() + at + 8);
  const std::uint64_t left = file.size() - at;
  if (name_bytes > left || n_bytes > left) return false;
  const std::uint64_t start = round_up(at + kRecordHead + name_bytes, kAlignment);
  const std::uint64_t end = start + n_bytes + kRecordTail;
  if (end > file.size()) return false;
  const Bytes whole = file.subspan(at, end - 8 - at);
  if (load_le<std::uint64_t>(file.data() + end - 8) != checksum(whole)) return false;
  Record record{start, n_bytes, {}};
  double* const errors[] = {&record.error.nmse, &record.error.output, &record.error.baseline};
  for (std::size_t i = 0; i < 3; ++i) *errors[i] = load_le<double>(file.data() + start + n_bytes + 8 * i);
  records_[std::string(reinterpret_cast<const char*>(file.data() + at + kRecordHead), name_bytes)] = record;
  at = end;
  return true;
}

const PartFile::Record* PartFile::find(std::string_view tensor) const {
  const auto place = records_.find(tensor);
  return place == records_.end() ? nullptr : &place->second;
}

Result<void> PartFile::append(Bytes bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(end_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(path_, "write", errno);
    done += static_cast<std::size_t>(written);
    end_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> PartFile::begin(std::string_view tensor, std::uint64_t n_bytes) {
  KERF_CHECK(open_tensor_.empty() && find(tensor) == nullptr);
  open_tensor_ = tensor;
  open_start_ = end_;
  std::string head;
  append_to(head, kRecordMagic);
  append_to(head, static_cast<std::uint32_t>(tensor.size()));
  append_to(head, n_bytes);
  head += tensor;
  head.resize(round_up(end_ + head.size(), kAlignment) - end_, '\0');
  open_ = {end_ + head.size(), n_bytes, {}};
  return append(Bytes{reinterpret_cast<const std::uint8_t*>(head.data()), head.size()});
}

Result<void> PartFile::write(Bytes bytes) {
  KERF_CHECK(!open_tensor_.empty() && end_ + bytes.size() <= open_.offset + open_.n_bytes);
  return append(bytes);
}

Result<void> PartFile::finish(const RoundingError& error) {
  KERF_CHECK(!open_tensor_.empty() && end_ == open_.offset + open_.n_bytes);
  open_.error = error;
  std::string tail;
  for (const double value : {error.nmse, error.output, error.baseline}) append_to(tail, value);
  KERF_CHECK_OK(append(Bytes{reinterpret_cast<const std::uint8_t*>(tail.data()), tail.size()}));
  KERF_CHECK_OK(map());
  std::uint8_t sum[8];
  store_le(sum, checksum(mappings_.back()->bytes().subspan(open_start_, end_ - open_start_)));
  KERF_CHECK_OK(append(Bytes{sum, sizeof sum}));
  records_[std::exchange(open_tensor_, {})] = open_;
  return {};
}

Result<void> PartFile::map() {
  KERF_TRY(auto mapping, MappedFile::open(path_));
  mappings_.push_back(std::move(mapping));
  return {};
}

Result<Bytes> PartFile::view(std::string_view tensor) {
  const Record* record = find(tensor);
  KERF_CHECK(record != nullptr);
  if (mappings_.empty() || mappings_.back()->bytes().size() < record->offset + record->n_bytes)
    KERF_CHECK_OK(map());
  return mappings_.back()->bytes().subspan(record->offset, record->n_bytes);
}

void PartFile::release(std::string_view tensor) const noexcept {
  const Record* record = find(tensor);
  if (record == nullptr) return;
  for (const auto& mapping : mappings_)
    if (mapping->bytes().size() >= record->offset + record->n_bytes)
      mapping->release(mapping->bytes().subspan(record->offset, record->n_bytes));
}

void PartFile::remove() noexcept {
  ::unlink(path_.c_str());
}

}  // namespace kerf

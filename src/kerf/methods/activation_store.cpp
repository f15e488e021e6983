#include "kerf/methods/activation_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace kerf {
namespace {

tl::unexpected<Error> fail_spill(const std::filesystem::path& folder, std::string_view action, int code) {
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return fail(
      full ? ErrorKind::resource : ErrorKind::io, folder.string(),
      fmt::format("cannot {} the file for activations: {}; free some space there, calibrate with fewer "
                  "tokens or allow more memory",
                  action, std::strerror(code)));
}

/// A file in `folder` that nobody else can see.
int open_nameless(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return descriptor;
  std::string path = (folder / "kerf-activations-XXXXXX").string();
  const int named = ::mkostemp(path.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(path.c_str());
  return named;
}

std::unique_ptr<float[]> allocate(std::size_t n) {
  return std::unique_ptr<float[]>(new (std::nothrow) float[n]);
}

tl::unexpected<Error> no_memory(std::size_t n) {
  return fail(
      ErrorKind::resource, "",
      fmt::format("no memory for activations ({} bytes); calibrate with fewer tokens or set --max-ram",
                  n * sizeof(float)));
}

}  // namespace

Result<ActivationStore> ActivationStore::in_memory(std::size_t n_windows, std::size_t floats_per_window) {
  ActivationStore store;
  store.floats_per_window_ = floats_per_window;
  store.floats_ = allocate(n_windows * floats_per_window);
  if (store.floats_ == nullptr) return no_memory(n_windows * floats_per_window);
  return store;
}

Result<ActivationStore> ActivationStore::in_file(const std::filesystem::path& folder, std::size_t n_windows,
                                                 std::size_t floats_per_window) {
  ActivationStore store;
  store.floats_per_window_ = floats_per_window;
  store.folder_ = folder;
  store.floats_ = allocate(floats_per_window);
  if (store.floats_ == nullptr) return no_memory(floats_per_window);
  store.descriptor_ = open_nameless(folder);
  if (store.descriptor_ < 0) return fail_spill(folder, "create", errno);
  const auto bytes = static_cast<off_t>(n_windows * floats_per_window * sizeof(float));
  // Some file systems cannot reserve; then a full disk shows at the write.
  const int code = ::posix_fallocate(store.descriptor_, 0, bytes);
  if (code != 0 && code != EOPNOTSUPP && code != EINVAL) return fail_spill(folder, "reserve", code);
  return store;
}

ActivationStore::ActivationStore(ActivationStore&& other) noexcept {
  *this = std::move(other);
}

ActivationStore& ActivationStore::operator=(ActivationStore&& other) noexcept {
  std::swap(floats_per_window_, other.floats_per_window_);
  std::swap(floats_, other.floats_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(folder_, other.folder_);
  return *this;
}

ActivationStore::~ActivationStore() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

float* ActivationStore::overwrite(std::size_t i) noexcept {
  return descriptor_ < 0 ? floats_.get() + i * floats_per_window_ : floats_.get();
}

Result<float*> ActivationStore::edit(std::size_t i) {
  if (descriptor_ < 0) return overwrite(i);
  const std::size_t n_bytes = floats_per_window_ * sizeof(float);
  auto* const bytes = reinterpret_cast<char*>(floats_.get());
  for (std::size_t done = 0; done < n_bytes;) {
    const ssize_t got =
        ::pread(descriptor_, bytes + done, n_bytes - done, static_cast<off_t>(i * n_bytes + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail_spill(folder_, "read", got < 0 ? errno : EIO);
    done += static_cast<std::size_t>(got);
  }
  return floats_.get();
}

Result<void> ActivationStore::keep(std::size_t i) {
  if (descriptor_ < 0) return {};
  const std::size_t n_bytes = floats_per_window_ * sizeof(float);
  const auto* const bytes = reinterpret_cast<const char*>(floats_.get());
  for (std::size_t done = 0; done < n_bytes;) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes + done, n_bytes - done, static_cast<off_t>(i * n_bytes + done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_spill(folder_, "write", errno);
    done += static_cast<std::size_t>(written);
  }
  return {};
}

}  // namespace kerf

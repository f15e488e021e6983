// Assertions about our own code, alive in every build. User-visible failures are Result<T>.
#pragma once

namespace kerf {
/// Prints the broken invariant to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace kerf

#define KERF_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::kerf::check_failed(#condition, __FILE__, __LINE__))

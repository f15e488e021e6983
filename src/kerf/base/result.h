// The error value that every fallible function of kerf returns (docs/design.md, «Errors»).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace kerf {

/// What went wrong, coarse enough for a caller to act on: the CLI turns it into an exit code,
/// a server into an HTTP status.
enum class ErrorKind {
  usage,        ///< the caller asked for something that makes no sense
  input,        ///< a file or text is corrupt or contradicts itself
  unsupported,  ///< well-formed, but kerf cannot do it
  not_found,    ///< a file, tensor or key is missing
  io,           ///< the operating system refused a read or write
  numeric,      ///< NaN, infinity or overflow where numbers are needed
  resource,     ///< not enough memory or disk
  cancelled,    ///< the user interrupted
  quality,      ///< the result is sound but not as good as was asked
};

/// One error. `where` names the file, tensor or option; `what` is the reason and, where there is
/// one, the way out.
struct Error {
  ErrorKind kind;
  std::string where;
  std::string what;

  /// «where: what», or only `what` if `where` is empty.
  [[nodiscard]] std::string message() const { return where.empty() ? what : where + ": " + what; }
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string where, std::string what) {
  return tl::unexpected<Error>(Error{kind, std::move(where), std::move(what)});
}

}  // namespace kerf

#define KERF_CONCAT_(a, b) a##b
#define KERF_CONCAT(a, b) KERF_CONCAT_(a, b)
#define KERF_TRY_(tmp, declaration, ...)                                  \
  auto tmp = (__VA_ARGS__);                                               \
  if (!tmp) return tl::unexpected<::kerf::Error>(std::move(tmp).error()); \
  declaration = *std::move(tmp)

/// `KERF_TRY(auto x, f());` declares x from f()'s value or returns f()'s error.
#define KERF_TRY(declaration, ...) KERF_TRY_(KERF_CONCAT(kerf_try_, __LINE__), declaration, __VA_ARGS__)

/// `KERF_CHECK_OK(f());` returns f()'s error, if any; for a Result<void>.
#define KERF_CHECK_OK(...)                                                  \
  do {                                                                      \
    if (auto kerf_status = (__VA_ARGS__); !kerf_status)                     \
      return tl::unexpected<::kerf::Error>(std::move(kerf_status).error()); \
  } while (false)

// What every command shares: the common options, progress on stderr, errors and exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kerf/base/progress.h"
#include "kerf/base/result.h"
#include "kerf/base/threads.h"
#include "kerf/cli/command.h"

namespace kerf::cli {

/// Exit codes that scripts may rely on.
enum ExitCode : int { kOk = 0, kUsage = 2, kInput = 3, kResource = 4, kQuality = 5, kInterrupted = 7 };

[[nodiscard]] int exit_code_of(ErrorKind kind) noexcept;

/// Options that every command has; a command adds its own to `app`.
struct CommonOptions {
  bool json = false;
  bool quiet = false;
  unsigned threads = 0;  ///< 0: one per CPU
};

/// One invocation of a command: parses, runs, reports.
class Invocation {
 public:
  /// `example` is a complete command line, shown at the end of --help.
  Invocation(const Command& command, std::string_view example);

  CLI::App& app() noexcept { return app_; }
  [[nodiscard]] const CommonOptions& common() const noexcept { return common_; }

  /// Parses `arguments` and, if they are right, calls `body`. Prints help, usage errors and the error that
  /// `body` returns (as JSON with --json), and gives the exit code.
  int run(const std::vector<std::string>& arguments, const std::function<Result<void>()>& body);

  /// Progress with rate and time left on stderr; silent with --quiet or for work under two seconds.
  /// Reports cancelled() after the first Ctrl-C.
  [[nodiscard]] Progress& progress() noexcept { return *progress_; }

 private:
  CLI::App app_;
  CommonOptions common_;
  std::unique_ptr<Progress> progress_;
};

/// Prints one JSON object on stdout. NaN and infinities become null, broken UTF-8 is replaced.
void print_json(const nlohmann::json& object);

/// Installs the handler that makes Ctrl-C end the work in an orderly way; true after it was pressed.
void watch_interrupt();
[[nodiscard]] bool interrupted() noexcept;

/// The most memory that this process has had resident so far.
[[nodiscard]] std::uint64_t peak_memory_bytes() noexcept;

/// «1.23 GB», «98.4 MB», decimal units as disks are sold.
[[nodiscard]] std::string human_bytes(double bytes);
/// «1 h 02 min», «3.4 s».
[[nodiscard]] std::string human_seconds(double seconds);
/// Whether escape sequences for colour are welcome on this stream (a terminal, and no NO_COLOR).
[[nodiscard]] bool colour_allowed(int descriptor);

}  // namespace kerf::cli

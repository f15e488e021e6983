#include "kerf/cli/common.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace kerf::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

extern "C" void on_interrupt(int) {
  // A second Ctrl-C means that the user is done waiting.
  if (g_interrupted) std::_Exit(kInterrupted);
  g_interrupted = 1;
}

/// Draws «stage  42 %  128/272 tensors  3.1/s  0:12 left  detail» on one line that is overwritten.
class TerminalProgress final : public Progress {
 public:
  explicit TerminalProgress(const bool& quiet) : quiet_(quiet) {}

  void start(std::string_view stage, std::uint64_t total, std::string_view unit) override {
    stage_ = stage;
    unit_ = unit;
    total_ = total;
    begin_ = last_drawn_ = Clock::now();
    drawn_ = false;
  }

  void advance(std::uint64_t done, std::string_view detail) override {
    const auto now = Clock::now();
    const double elapsed = seconds(now - begin_);
    const double since_drawn = seconds(now - last_drawn_);
    if (quiet_ || total_ == 0 || elapsed < 2.0 || since_drawn < (on_terminal_ ? 0.2 : 10.0)) return;
    last_drawn_ = now;
    drawn_ = true;
    const double rate = static_cast<double>(done) / elapsed;
    const double left = rate > 0 ? static_cast<double>(total_ - done) / rate : 0;
    const std::string line = fmt::format("{}  {:3.0f} %  {}/{} {}  {:.4g}/s  {} left  {}", stage_,
                                         100.0 * static_cast<double>(done) / static_cast<double>(total_),
                                         done, total_, unit_, rate, human_seconds(left), detail);
    fmt::print(stderr, "{}{}{}", on_terminal_ ? "\r\033[K" : "", line, on_terminal_ ? "" : "\n");
    std::fflush(stderr);
  }

  void finish() override {
    if (drawn_ && on_terminal_) fmt::print(stderr, "\r\033[K");
    drawn_ = false;
  }

  [[nodiscard]] bool cancelled() const noexcept override { return interrupted(); }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

  const bool& quiet_;
  const bool on_terminal_ = ::isatty(STDERR_FILENO) != 0;
  std::string stage_, unit_;
  std::uint64_t total_ = 0;
  Clock::time_point begin_, last_drawn_;
  bool drawn_ = false;
};

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::input:
      return "input";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::io:
      return "io";
    case ErrorKind::numeric:
      return "numeric";
    case ErrorKind::resource:
      return "resource";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::quality:
      return "quality";
  }
  return "unknown";
}

}  // namespace

int exit_code_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
      return kUsage;
    case ErrorKind::resource:
    case ErrorKind::io:
      return kResource;
    case ErrorKind::quality:
      return kQuality;
    case ErrorKind::cancelled:
      return kInterrupted;
    default:
      return kInput;
  }
}

Invocation::Invocation(const Command& command, std::string_view example)
    : app_(std::string(command.summary), fmt::format("kerf {}", command.name)),
      progress_(std::make_unique<TerminalProgress>(common_.quiet)) {
  app_.footer(fmt::format("\nExample:\n  {}", example));
  app_.option_defaults()->always_capture_default();
  app_.add_flag("--json", common_.json, "print one JSON object on stdout");
  app_.add_flag("-q,--quiet", common_.quiet, "no progress on stderr");
  app_.add_option("-t,--threads", common_.threads, "threads to use; 0 is one per CPU")
      ->envname("KERF_THREADS")
      ->check(CLI::Range(0, 1024));
}

int Invocation::run(const std::vector<std::string>& arguments, const std::function<Result<void>()>& body) {
  try {
    // CLI11 takes the arguments as a stack.
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    app_.exit(error);
    return asked_for_help ? kOk : kUsage;
  }
  watch_interrupt();
  const Result<void> result = body();
  progress_->finish();
  if (result) return kOk;
  const Error& error = result.error();
  const int code = exit_code_of(error.kind);
  if (common_.json)
    print_json(
        {{"error", {{"kind", name_of(error.kind)}, {"where", error.where}, {"message", error.message()}}},
         {"exit_code", code}});
  fmt::print(stderr, "{}: {}\n", app_.get_name(), error.message());
  return code;
}

void print_json(const nlohmann::json& object) {
  fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void watch_interrupt() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A closed pipe and a file-size limit are errors of the write, not reasons to die without cleaning up.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() noexcept {
  return g_interrupted != 0;
}

std::uint64_t peak_memory_bytes() noexcept {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;  // Linux counts in kilobytes
}

std::string human_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 999.5 && unit < 4) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.4g} {}", bytes, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

bool colour_allowed(int descriptor) {
  return ::isatty(descriptor) != 0 && std::getenv("NO_COLOR") == nullptr;
}

}  // namespace kerf::cli

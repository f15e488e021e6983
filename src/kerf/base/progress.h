// How long work reports where it stands and learns that the user wants it to stop. Nothing below the CLI
// prints; the CLI hands one of these down.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace kerf {

class Progress {
 public:
  virtual ~Progress() = default;
  /// A new stage of `total` units («tensors», «tokens», bytes).
  virtual void start(std::string_view stage, std::uint64_t total, std::string_view unit) = 0;
  /// `done` units of the stage are finished; `detail` is what is worth seeing now. Called by one thread.
  virtual void advance(std::uint64_t done, std::string_view detail) = 0;
  virtual void finish() = 0;
  /// True once the user asked to stop; the work returns ErrorKind::cancelled at its next safe point.
  [[nodiscard]] virtual bool cancelled() const noexcept = 0;
};

/// Reports to nobody.
class SilentProgress final : public Progress {
 public:
  void start(std::string_view, std::uint64_t, std::string_view) override {}
  void advance(std::uint64_t, std::string_view) override {}
  void finish() override {}
  [[nodiscard]] bool cancelled() const noexcept override { return false; }
};

}  // namespace kerf

// The activations of many windows, in memory or in a file without a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "kerf/base/result.h"

namespace kerf {

/// n windows of the same number of floats. One window is in hand at a time: edit(i), then keep(i).
class ActivationStore {
 public:
  /// Errors: resource (memory).
  static Result<ActivationStore> in_memory(std::size_t n_windows, std::size_t floats_per_window);
  /// In a file in `folder` that disappears with the process, however that ends. Errors: io, resource (disk).
  static Result<ActivationStore> in_file(const std::filesystem::path& folder, std::size_t n_windows,
                                         std::size_t floats_per_window);
  ActivationStore(ActivationStore&& other) noexcept;
  ActivationStore& operator=(ActivationStore&& other) noexcept;
  ~ActivationStore();

  /// The numbers of window i, good until the next call.
  Result<float*> edit(std::size_t i);
  /// Room for them, whatever it holds now.
  float* overwrite(std::size_t i) noexcept;
  /// Stores what was written to window i since.
  Result<void> keep(std::size_t i);

 private:
  ActivationStore() = default;

  std::size_t floats_per_window_ = 0;
  std::unique_ptr<float[]> floats_;  // all windows, or the one in hand
  int descriptor_ = -1;              // −1: in memory
  std::filesystem::path folder_;
};

}  // namespace kerf

// The tables this CPU can run, and the choice among them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kerf/kernels/kernel.h"

namespace kerf::kernels {

/// Every table of this build, slowest (scalar) first.
[[nodiscard]] std::span<const KernelTable* const> all_tables() noexcept;

/// Those that this CPU can run, in the same order.
[[nodiscard]] std::span<const KernelTable* const> runnable_tables() noexcept;

struct Selection {
  const KernelTable* table;  ///< never nullptr; the definition if there is an error
  std::string error;         ///< empty, or why `forced` cannot be honoured
};

/// The fastest runnable table if `forced` is empty, else the one with that name.
[[nodiscard]] Selection select_table(std::string_view forced);

}  // namespace kerf::kernels

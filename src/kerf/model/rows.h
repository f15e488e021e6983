// Sharing rows of a matrix among threads.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kerf/base/threads.h"

namespace kerf {

/// Calls body(row) for each of n rows of `width` numbers, each row once, on any thread. Pieces are large
/// enough (32 Ki numbers) that waking a thread pays; a single row stays with the caller.
template <class Body>
void for_rows(ThreadPool& pool, std::size_t n, std::size_t width, const Body& body) {
  constexpr std::size_t kPiece = 1U << 15;
  const std::size_t grain = std::max<std::size_t>(1, kPiece / std::max<std::size_t>(width, 1));
  pool.parallel_for(n, grain, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace kerf
